"""The whole system on a running cluster, measured: `make cluster-test`."""
