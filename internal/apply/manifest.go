// Package apply makes an instance equal to a folder: the app, scripts and triggers that its picloud.yaml names.
package apply

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"
)

// ManifestName is the file that a folder is applied from.
const ManifestName = "picloud.yaml"

// Manifest is the content of picloud.yaml. What it leaves out is left as it is.
type Manifest struct {
	App      string             `yaml:"app"`  // slug
	Name     string             `yaml:"name"` // of the app, for people
	Scripts  map[string]*Script `yaml:"scripts"`
	Triggers []Trigger          `yaml:"triggers"`
	Secrets  []string           `yaml:"secrets"` // names: a value comes from the environment variable of that name, or is there already

	dir string
}

// Script is one script of a manifest.
type Script struct {
	Source   string         `yaml:"source"`   // file below the manifest's folder
	Language string         `yaml:"language"` // "" = by the file's ending
	Limits   map[string]any `yaml:"limits"`   // as in the API
}

// Trigger is one trigger of a manifest, with the fields of the API.
type Trigger struct {
	Name    string         `yaml:"name"`
	Kind    string         `yaml:"kind"`
	Script  string         `yaml:"script"`
	Enabled *bool          `yaml:"enabled"`
	Config  map[string]any `yaml:"config"`
	Retry   map[string]any `yaml:"retry"`
	Filter  *string        `yaml:"filter"` // CEL; "" = none
	Flow    map[string]any `yaml:"flow"`
	// MaxDepth and Cycle guard against triggers that fire each other in a circle.
	MaxDepth *int   `yaml:"max_depth"`
	Cycle    string `yaml:"cycle"`
}

// Read reads dir/picloud.yaml. The error says the line of what is wrong.
func Read(dir string) (Manifest, error) {
	path := filepath.Join(dir, ManifestName)
	text, err := os.ReadFile(path) //nolint:gosec // G304: the file that the user names
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	m := Manifest{dir: dir}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("read %s: %w", path, err)
	}
	if m.App == "" {
		return Manifest{}, fmt.Errorf("read %s: app: the slug of the app is missing", path)
	}
	for name, s := range m.Scripts {
		if s == nil || s.Source == "" {
			return Manifest{}, fmt.Errorf("read %s: scripts.%s.source: the file is missing", path, name)
		}
		if s.Language == "" {
			s.Language = languages[filepath.Ext(s.Source)]
		}
		if s.Language == "" {
			return Manifest{}, fmt.Errorf("read %s: scripts.%s.language: %s has no ending that tells: say ts or js", path, name, s.Source)
		}
	}
	return m, nil
}

var languages = map[string]string{".ts": "ts", ".mts": "ts", ".js": "js", ".mjs": "js"}

// scriptNames gives the names of the scripts in order.
func (m Manifest) scriptNames() []string { return slices.Sorted(maps.Keys(m.Scripts)) }

// source reads a script's file.
func (m Manifest) source(s *Script) (string, error) {
	text, err := os.ReadFile(filepath.Join(m.dir, s.Source))
	if err != nil {
		return "", fmt.Errorf("read script: %w", err)
	}
	return string(text), nil
}
