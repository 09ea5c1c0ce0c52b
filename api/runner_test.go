package api

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
)

// fakeRunner is a sandbox in which the script "throws" fails and every other writes one key.
type fakeRunner struct {
	runs   []picloud.Run
	broken error
}

func (f *fakeRunner) Run(_ context.Context, run picloud.Run) (picloud.Outcome, error) {
	f.runs = append(f.runs, run)
	out := picloud.Outcome{Logs: []picloud.LogLine{{Time: day, Level: "info", Message: "dry"}}}
	if run.Script == "throws" {
		out.Failure = &picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "TypeError", Message: "x"}
		return out, f.broken
	}
	out.Result.Value = json.RawMessage(fmt.Sprintf(`{"ran":%q}`, run.Script))
	out.Effects = []picloud.Effect{{Type: picloud.EffectKVSet, Collection: "c", Key: "k", Value: json.RawMessage(`1`)}}
	return out, f.broken
}
