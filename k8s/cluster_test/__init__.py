"""`make cluster-test`: tests the whole system on a running cluster."""
