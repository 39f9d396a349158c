// Validates dashboards against Grafana's published schema. An unknown field, a wrong type or a value outside an
// enumeration is an error. Prints the errors and exits with 1 if there are any.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	// Without the plugins, options of panels and queries are not validated.
	plugins.RegisterDefaultPlugins()
	failed := len(os.Args) < 2
	if failed {
		fmt.Fprintln(os.Stderr, "usage: schema-check DASHBOARD.json...")
	}
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

func check(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	// The strict decoder returns a non-nil error list even if the list is empty, and for this reason drops all panels.
	// The checks below therefore use the result of the lenient decoder.
	var schemaErrors cog.BuildErrors
	err = new(dashboard.Dashboard).UnmarshalJSONStrict(raw)
	if err != nil && (!errors.As(err, &schemaErrors) || len(schemaErrors) > 0) {
		return err
	}
	var board dashboard.Dashboard
	if err := json.Unmarshal(raw, &board); err != nil {
		return err
	}
	for _, panel := range board.Panels {
		if panel.Panel == nil {
			continue
		}
		if _, known := cog.NewRuntime().ConfigForPanelcfgVariant(panel.Panel.Type); !known {
			return fmt.Errorf("no panel of type %q", panel.Panel.Type)
		}
	}
	return board.Validate()
}
