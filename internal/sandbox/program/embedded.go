//go:build embedchild

package program

import _ "embed"

// embedded is cmd/sandbox-child, built.
//
//go:embed sandbox-child
var embedded string
