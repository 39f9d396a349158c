// Reads boards as strictly as Grafana's published schema allows: a field that the schema does not know, a wrong type
// or a value outside its list is an error. Exit 1 names each.
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
	// Without them the options of panels and queries are bags of anything.
	plugins.RegisterDefaultPlugins()
	failed := len(os.Args) < 2
	if failed {
		fmt.Fprintln(os.Stderr, "usage: schema-check BOARD.json...")
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
	// The strict reader returns its list of faults also where that is empty, and then it is not nil. For the same reason
	// it keeps no panel: what follows looks at the board as the other reader has it.
	var faults cog.BuildErrors
	err = new(dashboard.Dashboard).UnmarshalJSONStrict(raw)
	if err != nil && (!errors.As(err, &faults) || len(faults) > 0) {
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
			return fmt.Errorf("there is no panel of type %q", panel.Panel.Type)
		}
	}
	return board.Validate()
}
