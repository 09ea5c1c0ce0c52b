//go:build !embedchild

package program

// embedded is empty: go build alone does not know whether a program that lies around is of this source.
const embedded = ""
