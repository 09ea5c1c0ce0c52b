// Package triage_test drives the example through a running `picloud up`, the way its README section does: some hundred real-shaped GitHub
// deliveries, a bug that some of them hit, its repair, and the replay of the dead letters.
package triage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/apply"
	"github.com/picloud/picloud/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const app = "github-triage"

// settling is how long the executions of all deliveries may take on a busy machine.
const settling = 3 * time.Minute

// delivery is what the test itself reads out of a payload, to compare with what the scripts make of it.
type delivery struct {
	event      string
	repository string // "" = none
	account    string
	sender     string
}

type stats struct {
	Total   int            `json:"total"`
	Events  map[string]int `json:"events"`
	Senders map[string]int `json:"senders"`
}

func TestTriage(t *testing.T) {
	deliveries := readDeliveries(t)
	up := testkit.Up(t)
	deploy(t, up)
	deliver(t, up, fmt.Sprintf(`%d deliveries sent; answers by status: {"201":%d}`, len(deliveries), len(deliveries)))

	// Every delivery has fired the statistics once. Those without a repository hit the bug.
	buggy := slices.DeleteFunc(slices.Clone(deliveries), func(d delivery) bool { return d.repository != "" })
	require.NotEmpty(t, buggy)
	testkit.Eventually(t, settling, func() error {
		n := countStatuses(t, up, "stats")
		if n["succeeded"] != len(deliveries)-len(buggy) || n["dead_lettered"] != len(buggy) || n["queued"]+n["running"] > 0 {
			return fmt.Errorf("executions of stats by status: %v", n)
		}
		return nil
	})
	assert.Equal(t, expected(deliveries, false), storedStats(t, up))

	letters := unresolved(t, up)
	require.Len(t, letters, len(buggy))
	letter := letters[0]
	assert.Equal(t, "TypeError", letter.Error.Type)
	assert.Equal(t, "script_error", letter.Reason)
	assert.Equal(t, 2, letter.Attempts, "the trigger's own policy")
	assert.Contains(t, letter.Error.Stack, "stats.ts:12:", "the line of the bug, in the user's own source")
	assertSeenInTemporal(t, up, letter)

	// The bug is mended by a new version; the replay of every letter clears them.
	fixed, err := os.ReadFile("stats.fixed.ts")
	require.NoError(t, err)
	put, err := up.Client.PutScriptWithResponse(t.Context(), app, "stats", client.ScriptPut{Source: string(fixed), Language: "ts"})
	require.NoError(t, err)
	require.NotNil(t, put.JSON201, string(put.Body))
	assert.Equal(t, 2, put.JSON201.ActiveVersion)
	for _, l := range letters {
		replay(t, up, l)
	}
	assert.Zero(t, countUnresolved(t, up))
	testkit.Eventually(t, settling, func() error {
		n := countStatuses(t, up, "stats")
		if n["succeeded"] != len(deliveries) || n["queued"]+n["running"] > 0 {
			return fmt.Errorf("executions of stats by status: %v", n)
		}
		return nil
	})
	assert.Equal(t, expected(deliveries, true), storedStats(t, up), "every delivery is counted exactly once")

	// GitHub sends everything again: nothing is stored or counted twice.
	deliver(t, up, fmt.Sprintf(`answers by status: {"200":%d}`, len(deliveries)))
	assert.Equal(t, len(deliveries), countStatuses(t, up, "stats")["succeeded"])
}

func readDeliveries(t *testing.T) []delivery {
	t.Helper()
	text, err := os.ReadFile("node_modules/@octokit/webhooks-examples/api.github.com/index.json")
	require.NoError(t, err, "the example's npm packages are missing: make example-packages")
	type login struct {
		Login string `json:"login"`
	}
	var events []struct {
		Name     string `json:"name"`
		Examples []struct {
			Repository *struct {
				FullName string `json:"full_name"`
			} `json:"repository"`
			Sender       *login `json:"sender"`
			Organization *login `json:"organization"`
			Installation *struct {
				Account *login `json:"account"`
			} `json:"installation"`
		} `json:"examples"`
	}
	require.NoError(t, json.Unmarshal(text, &events))
	var all []delivery
	for _, e := range events {
		for _, x := range e.Examples {
			d := delivery{event: e.Name, account: "unknown"}
			if x.Repository != nil {
				d.repository = x.Repository.FullName
			}
			if x.Sender != nil {
				d.sender, d.account = x.Sender.Login, x.Sender.Login
			}
			if x.Installation != nil && x.Installation.Account != nil {
				d.account = x.Installation.Account.Login
			}
			if x.Organization != nil {
				d.account = x.Organization.Login
			}
			all = append(all, d)
		}
	}
	require.Greater(t, len(all), 300)
	return all
}

// expected gives the statistics that the deliveries come to; with those without a repository, by account, if all is set.
func expected(deliveries []delivery, all bool) map[string]stats {
	want := map[string]stats{}
	for _, d := range deliveries {
		key := d.repository
		if key == "" {
			key = "account:" + d.account
			if !all {
				continue
			}
		}
		s, ok := want[key]
		if !ok {
			s = stats{Events: map[string]int{}, Senders: map[string]int{}}
		}
		s.Total++
		s.Events[d.event]++
		if d.sender != "" {
			s.Senders[d.sender]++
		}
		want[key] = s
	}
	return want
}

func deploy(t *testing.T, up *testkit.Instance) {
	t.Helper()
	m, err := apply.Read(".")
	require.NoError(t, err)
	for range 2 { // applying again changes nothing
		require.NoError(t, apply.Apply(t.Context(), up.Client, m, func(step string) { t.Log(step) }))
	}
}

// deliver runs the program that a user runs.
func deliver(t *testing.T, up *testkit.Instance, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settling)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "deliver.mjs")
	cmd.Env = append(os.Environ(), "PICLOUD_URL="+up.URL, "PICLOUD_KEY="+up.Key)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), want)
}

func countStatuses(t *testing.T, up *testkit.Instance, script string) map[string]int {
	t.Helper()
	n := map[string]int{}
	limit := 500
	params := client.ListExecutionsParams{Script: &script, Limit: &limit}
	for {
		list, err := up.Client.ListExecutionsWithResponse(t.Context(), app, &params)
		require.NoError(t, err)
		require.NotNil(t, list.JSON200, string(list.Body))
		for _, x := range list.JSON200.Items {
			n[string(x.Status)]++
		}
		if params.Cursor = list.JSON200.NextCursor; params.Cursor == nil {
			return n
		}
	}
}

func storedStats(t *testing.T, up *testkit.Instance) map[string]stats {
	t.Helper()
	limit := 500
	list, err := up.Client.ListKVWithResponse(t.Context(), app, "stats", &client.ListKVParams{Limit: &limit})
	require.NoError(t, err)
	require.NotNil(t, list.JSON200, string(list.Body))
	got := map[string]stats{}
	for _, e := range list.JSON200.Items {
		var s stats
		require.NoError(t, json.Unmarshal(e.Value, &s))
		got[e.Key] = s
	}
	return got
}

func unresolved(t *testing.T, up *testkit.Instance) []client.DeadLetter {
	t.Helper()
	limit, resolution := 500, "unresolved"
	list, err := up.Client.ListDeadLettersWithResponse(t.Context(), app, &client.ListDeadLettersParams{Limit: &limit, Resolution: &resolution})
	require.NoError(t, err)
	require.NotNil(t, list.JSON200, string(list.Body))
	assert.Len(t, list.JSON200.Items, countUnresolved(t, up), "the badge and the list agree")
	return list.JSON200.Items
}

func countUnresolved(t *testing.T, up *testkit.Instance) int {
	t.Helper()
	count, err := up.Client.CountDeadLettersWithResponse(t.Context(), app)
	require.NoError(t, err)
	require.NotNil(t, count.JSON200, string(count.Body))
	return int(count.JSON200.Unresolved)
}

// replay replays one letter and checks that both ends are linked, and that a second replay is refused.
func replay(t *testing.T, up *testkit.Instance, l client.DeadLetter) {
	t.Helper()
	r, err := up.Client.ReplayDeadLetterWithResponse(t.Context(), app, l.ID, client.Replay{})
	require.NoError(t, err)
	require.NotNil(t, r.JSON202, string(r.Body))
	wait := "60s"
	x, err := up.Client.GetExecutionWithResponse(t.Context(), app, r.JSON202.ID, &client.GetExecutionParams{Wait: &wait})
	require.NoError(t, err)
	require.NotNil(t, x.JSON200, string(x.Body))
	assert.Equal(t, "succeeded", string(x.JSON200.Status))
	assert.Equal(t, &l.ID, x.JSON200.ReplayOf)
	again, err := up.Client.ReplayDeadLetterWithResponse(t.Context(), app, l.ID, client.Replay{})
	require.NoError(t, err)
	assert.Equal(t, http.StatusConflict, again.StatusCode())
	resolved, err := up.Client.GetDeadLetterWithResponse(t.Context(), app, l.ID)
	require.NoError(t, err)
	require.NotNil(t, resolved.JSON200, string(resolved.Body))
	assert.Equal(t, &r.JSON202.ID, resolved.JSON200.ReplayExecutionID)
}

// assertSeenInTemporal looks where people look: the page that temporal_url names opens, and the UI's own search finds the execution by what PiCloud
// calls things, as a failed workflow.
func assertSeenInTemporal(t *testing.T, up *testkit.Instance, l client.DeadLetter) {
	t.Helper()
	x, err := up.Client.GetExecutionWithResponse(t.Context(), app, l.ExecutionID, &client.GetExecutionParams{})
	require.NoError(t, err)
	require.NotNil(t, x.JSON200, string(x.Body))
	require.NotNil(t, x.JSON200.TemporalURL)
	page, err := browse(t, up, *x.JSON200.TemporalURL)
	require.NoError(t, err)
	assert.Contains(t, page, "<html")

	query := fmt.Sprintf("PiCloudApp = '%s' AND PiCloudScript = 'stats' AND PiCloudTrigger = 'on-delivery' AND PiCloudKind = 'kv' AND PiCloudDepth = 2 AND ExecutionStatus = 'Failed'", app)
	testkit.Eventually(t, time.Minute, func() error {
		found, err := browse(t, up, up.URL+"/temporal/api/v1/namespaces/default/workflows?query="+url.QueryEscape(query))
		if err != nil {
			return err
		}
		if !strings.Contains(found, `execution:`+l.ExecutionID) {
			return errors.New("the Temporal UI does not find the execution: " + found[:min(len(found), 500)])
		}
		return nil
	})
}

// browse reads a page with the key as the password, as a browser does.
func browse(t *testing.T, up *testkit.Instance, address string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	request.SetBasicAuth("admin", up.Key)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", address, answer.Status, body)
	}
	return string(body), err
}
