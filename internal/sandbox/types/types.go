// Package types holds the TypeScript declarations of what a script finds: the one source of the editor, of `picloud init` and of the tests that hold it
// against the runtime.
package types

import _ "embed"

//go:embed picloud.d.ts
var declarations string

// Declarations gives picloud.d.ts: ambient declarations for "lib": ["ESNext"].
func Declarations() string { return declarations }

// Config gives a tsconfig.json that checks scripts against picloud.d.ts in the same folder.
func Config() string {
	return `{
  "compilerOptions": {
    "strict": true,
    "noEmit": true,
    "target": "ESNext",
    "module": "ESNext",
    "moduleDetection": "force",
    "lib": ["ESNext"],
    "types": []
  },
  "include": ["picloud.d.ts", "*.ts"]
}
`
}
