package picloud

import (
	"context"
	"time"
)

// Language of a script's source.
type Language string

// The languages.
const (
	TypeScript Language = "ts"
	JavaScript Language = "js"
)

// Script is a named program of an app: immutable numbered versions, one of them active.
type Script struct {
	ID            string
	AppID         string
	Name          string
	ActiveVersion int
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// ScriptVersion is one immutable version. Version numbers count from 1.
type ScriptVersion struct {
	ScriptID  string
	Script    string
	Version   int
	Language  Language
	Source    string
	SHA256    string // of language, limits and source, hex: the same again is the same version
	Program   Program
	Limits    Limits
	CreatedAt time.Time
}

// Program is a compiled script: what a sandbox child runs.
type Program struct {
	SHA256    string `json:"sha256"`     // of Code, hex: the key of the children's caches
	Code      []byte `json:"code"`       // JavaScript as goja runs it
	SourceMap []byte `json:"source_map"` // JSON source map to the user's own lines; empty = none
}

// Compiler turns source into a Program.
type Compiler interface {
	// Compile gives Invalid "compile_error" with line and column in Fields when the source does not compile, and TooLarge
	// "source_too_large" over MaxSourceBytes.
	Compile(ctx context.Context, name string, language Language, source string) (Program, error)
}

// Scripts keeps scripts and their versions.
type Scripts interface {
	// PutScript stores a version; created is false when that very version was there already (it is activated all the same if activate is set).
	// The first version of a script is always activated.
	PutScript(ctx context.Context, appID string, v ScriptVersion, activate bool) (s Script, stored ScriptVersion, created bool, err error)
	// FindVersion gives the version that has that digest, if any, so that the same source need not be compiled again.
	FindVersion(ctx context.Context, appID, script, sha256 string) (v ScriptVersion, found bool, err error)
	// Script gives one script. NotFound "script_not_found".
	Script(ctx context.Context, appID, name string) (Script, error)
	ListScripts(ctx context.Context, appID string, page Page) (List[Script], error)
	// Version gives one version with its program; version 0 is the active one. NotFound "script_not_found" or "version_not_found".
	Version(ctx context.Context, appID, script string, version int) (ScriptVersion, error)
	// ListVersions gives versions, newest first, without source and program.
	ListVersions(ctx context.Context, appID, script string, page Page) (List[ScriptVersion], error)
	// Activate makes a version the active one. NotFound "script_not_found" or "version_not_found".
	Activate(ctx context.Context, appID, script string, version int) (Script, error)
	// DeleteScript removes a script with its versions. Conflict "script_in_use" while a trigger names it.
	DeleteScript(ctx context.Context, appID, name string) error
}
