// Command vulnerabilities reads what govulncheck found (-format json) from its standard input, and fails for every known vulnerability whose code is in the program, unless a file of
// exceptions gives the reason why that one is bearable. `make vulnerabilities` runs it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"go.yaml.in/yaml/v3"
)

// exception lets one vulnerability of one module pass.
type exception struct {
	ID     string `yaml:"id"`     // of the Go vulnerability database, e.g. GO-2026-6603
	Module string `yaml:"module"` // as govulncheck names it; stdlib = the Go toolchain
	Reason string `yaml:"reason"` // why it cannot be mended here, and why it can be borne
}

// stdlib is the module of findings that another Go toolchain mends.
const stdlib = "stdlib"

// finding is a vulnerability whose code is in the program.
type finding struct {
	ID, Module, Version string
	Fixed               string // "" = nowhere yet
	Summary             string
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: govulncheck -format json … | vulnerabilities <file of exceptions>")
	}
	exceptions, err := readExceptions(args[0])
	if err != nil {
		return err
	}
	findings, err := readFindings(in)
	if err != nil {
		return err
	}
	return judge(findings, exceptions, out)
}

func readExceptions(path string) ([]exception, error) {
	content, err := os.ReadFile(path) //nolint:gosec // who runs this names the file
	if err != nil {
		return nil, fmt.Errorf("read exceptions: %w", err)
	}
	var list []exception
	if err := yaml.Unmarshal(content, &list); err != nil {
		return nil, fmt.Errorf("read exceptions: %s: %w", path, err)
	}
	for _, e := range list {
		if e.ID == "" || e.Module == "" || e.Reason == "" {
			return nil, fmt.Errorf("read exceptions: %s: %+v needs id, module and reason", path, e)
		}
	}
	return list, nil
}

// readFindings reads govulncheck's stream of messages (golang.org/x/vuln/internal/govulncheck, Message). Of its findings those with a function count: the others are of modules and
// packages whose vulnerable part is not there. A stream without its configuration is none of a run that came to its end.
func readFindings(in io.Reader) ([]finding, error) {
	found := map[finding]bool{}
	summaries := map[string]string{}
	began := false
	for decoder := json.NewDecoder(in); ; {
		var message struct {
			Config *struct{} `json:"config"`
			OSV    *struct {
				ID      string `json:"id"`
				Summary string `json:"summary"`
			} `json:"osv"`
			Finding *struct {
				OSV   string `json:"osv"`
				Fixed string `json:"fixed_version"`
				Trace []struct {
					Module   string `json:"module"`
					Version  string `json:"version"`
					Function string `json:"function"`
				} `json:"trace"`
			} `json:"finding"`
		}
		err := decoder.Decode(&message)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read findings: %w", err)
		}
		began = began || message.Config != nil
		if message.OSV != nil {
			summaries[message.OSV.ID] = message.OSV.Summary
		}
		if f := message.Finding; f != nil && len(f.Trace) > 0 && f.Trace[0].Function != "" {
			found[finding{ID: f.OSV, Module: f.Trace[0].Module, Version: f.Trace[0].Version, Fixed: f.Fixed}] = true
		}
	}
	if !began {
		return nil, errors.New("read findings: govulncheck said nothing")
	}
	list := slices.SortedFunc(maps.Keys(found), func(a, b finding) int { return slices.Compare([]string{a.ID, a.Module}, []string{b.ID, b.Module}) })
	for i := range list {
		list[i].Summary = summaries[list[i].ID]
	}
	return list, nil
}

// judge says what was found, and fails for what no exception covers, and for exceptions that nothing needs: a newer module has mended them. Those of the toolchain may outlive it, since
// others build with a newer one.
func judge(findings []finding, exceptions []exception, out io.Writer) error {
	used := map[exception]bool{}
	var wrong []error
	for _, f := range findings {
		at := slices.IndexFunc(exceptions, func(e exception) bool { return e.ID == f.ID && e.Module == f.Module })
		if at < 0 {
			fixed := "no version mends it"
			if f.Fixed != "" {
				fixed = "mended in " + f.Fixed
			}
			wrong = append(wrong, fmt.Errorf("%s in %s@%s: %s (%s; https://pkg.go.dev/vuln/%s)", f.ID, f.Module, f.Version, f.Summary, fixed, f.ID))
			continue
		}
		used[exceptions[at]] = true
		fmt.Fprintf(out, "borne: %s in %s@%s: %s\n", f.ID, f.Module, f.Version, exceptions[at].Reason)
	}
	for _, e := range exceptions {
		if !used[e] && e.Module != stdlib {
			wrong = append(wrong, fmt.Errorf("%s in %s is not found any more: take its exception away", e.ID, e.Module))
		}
	}
	return errors.Join(wrong...)
}
