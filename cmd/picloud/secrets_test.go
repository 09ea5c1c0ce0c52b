package main_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/deployments/embedded/pgserver"
	"github.com/picloud/picloud/internal/testkit"
)

// The secret that no table and no log may hold: long, and with what every encoding writes otherwise.
const plainSecret = `s3cr3t/"plain"+text & <more>`

func putSecret(t *testing.T, up *testkit.Instance, name, value string) {
	t.Helper()
	put, err := up.Client.PutSecretWithResponse(t.Context(), "shop", name, client.SecretValue{Value: value})
	require.NoError(t, err)
	require.Less(t, put.StatusCode(), 300, string(put.Body))
}

// everything gives the text of every row of every table of an instance, Temporal's too.
func everything(t *testing.T, up *testkit.Instance) string {
	t.Helper()
	var all strings.Builder
	for _, database := range []string{"picloud", "temporal", "temporal_visibility"} {
		address, ok := pgserver.Running(t.Context(), filepath.Join(up.DataDir, "postgres"), database)
		require.True(t, ok, database)
		db, err := pgx.Connect(t.Context(), address)
		require.NoError(t, err)
		rows, err := db.Query(t.Context(), "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
		require.NoError(t, err)
		tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.NotEmpty(t, tables)
		for _, table := range tables {
			rows, err := db.Query(t.Context(), "SELECT x::text FROM "+table+" x")
			require.NoError(t, err)
			texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
			require.NoError(t, err)
			for _, text := range texts {
				all.WriteString(database + " " + table + " " + text + "\n")
			}
		}
		require.NoError(t, db.Close(t.Context()))
	}
	return all.String()
}

// TestSecretsStayHidden runs scripts that log a secret, throw it, return it and send it, and looks for it in every row of every table and in all that the
// server says.
func TestSecretsStayHidden(t *testing.T) {
	var asked []string
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Header.Get("Authorization")+" "+string(body))
		http.Error(w, "no "+string(body), http.StatusTeapot)
	}))
	defer outside.Close()
	host := strings.TrimPrefix(outside.URL, "http://")
	up := testkit.Up(t, "PICLOUD_LOG_LEVEL=debug", "PICLOUD_FETCH_ALLOW="+host)
	deploy(t, up, `
  - { name: broken, kind: pubsub, script: throws, config: { topic: go }, retry: { maximum_attempts: 2, initial_interval: 10ms } }
`, map[string]string{
		"throws": `export default async (event: any, ctx: any) => {
			const key = await ctx.secrets.get("KEY");
			console.log("the key is", key, { key }, JSON.stringify({ key }), encodeURIComponent(key), btoa(key), btoa("user:" + key));
			const e = new Error("refused: " + key, { cause: new Error("because of " + key) });
			e.name = "E" + key;
			throw e;
		}`,
		"answers": `export default async (event: any, ctx: any) => {
			const key = await ctx.secrets.get("KEY");
			return new Response(key, { headers: { "x-key": encodeURIComponent(key) } });
		}`,
		"fetches": `export default async (event: any, ctx: any) => {
			const key = await ctx.secrets.get("KEY");
			const r = await ctx.fetch("` + outside.URL + `", { method: "POST", headers: { authorization: "Basic " + btoa("user:" + key) }, body: key });
			return { status: r.status, said: await r.text() };
		}`,
	})
	putSecret(t, up, "KEY", plainSecret)
	putSecret(t, up, "UNUSED", plainSecret)

	// A caller who waits gets what the script made of it; an error tells nobody.
	run := func(script string, headers map[string]string) (int, http.Header, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, up.URL+"/run/shop/"+script, http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+up.Key)
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close() //nolint:errcheck // it was read
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, answer.Header, string(body)
	}
	once := map[string]string{"Idempotency-Key": "k"}
	status, header, body := run("answers", once)
	require.Equal(t, 200, status, body)
	require.Equal(t, plainSecret, body)
	_, _, body = run("answers", once)
	require.Equal(t, "[secret KEY]", body, "what is kept has no secret in it")
	shown := execution(t, up, header.Get("X-Picloud-Execution"))
	require.NotNil(t, shown.Result)
	status, _, body = run("throws", nil)
	require.Equal(t, 500, status)
	require.Contains(t, body, "refused: [secret KEY]")
	status, _, body = run("fetches", nil)
	require.Equal(t, 200, status, body)
	require.Equal(t, []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+plainSecret)) + " " + plainSecret}, asked, "the world outside gets it as it is")

	sent, err := up.Client.PublishMessageWithResponse(t.Context(), "shop", "go", client.TopicMessage{Data: raw(`{}`)})
	require.NoError(t, err)
	require.NotNil(t, sent.JSON202, string(sent.Body))
	dead := execution(t, up, sent.JSON202.Executions[0])
	require.Equal(t, client.ExecutionStatus("dead_lettered"), dead.Status)
	require.Len(t, dead.Attempts, 2)
	dry := true
	invoked, err := up.Client.InvokeScriptWithResponse(t.Context(), "shop", "answers", client.InvokeScriptJSONRequestBody{DryRun: &dry})
	require.NoError(t, err)
	require.NotNil(t, invoked.JSON200, string(invoked.Body))
	require.NotContains(t, string(invoked.Body), "s3cr3t")

	all, said := everything(t, up), up.Said()
	require.Contains(t, all, "[secret KEY]")
	for _, text := range []string{
		plainSecret, `s3cr3t/\"plain\"+text`, url.QueryEscape(plainSecret), url.PathEscape(plainSecret), base64.StdEncoding.EncodeToString([]byte(plainSecret))[:36],
		base64.StdEncoding.EncodeToString([]byte("user:" + plainSecret))[8:40], "text &", "%2Btext",
	} {
		assert.NotContains(t, said, text)
		for _, form := range []string{text, hex.EncodeToString([]byte(text))} { // bytes are shown in hex
			for row := range strings.Lines(all) {
				if strings.Contains(row, form) && !strings.HasPrefix(row, "picloud public.script_versions") {
					assert.Fail(t, "a secret is stored", "%s in %s", text, row[:min(len(row), 300)])
				}
			}
		}
	}
}

// answersOf calls the script "answers" of the shop.
func answersOf(t *testing.T, up *testkit.Instance) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, up.URL+"/run/shop/answers", http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+up.Key)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(body)
}

// TestInstanceKey rotates the key under a running instance, and starts it without the key and with a wrong one.
func TestInstanceKey(t *testing.T) {
	up := testkit.Up(t)
	deploy(t, up, "", map[string]string{"answers": `export default (event: any, ctx: any) => ctx.secrets.get("KEY")`})
	putSecret(t, up, "KEY", plainSecret)
	answers := func(want string) {
		t.Helper()
		require.JSONEq(t, want, answersOf(t, up))
	}
	const want = `"s3cr3t/\"plain\"+text & <more>"`
	answers(want)

	file := filepath.Join(up.DataDir, "instance-key")
	first, err := os.ReadFile(file)
	require.NoError(t, err)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	rotate := func() string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), testkit.Binary(t), "secrets", "rotate")
		cmd.Env = append(os.Environ(), "PICLOUD_DATA_DIR="+up.DataDir)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	require.Contains(t, rotate(), "sealed 1 secrets with the new key")
	action := "rotateInstanceKey"
	log, err := up.Client.ListAuditWithResponse(t.Context(), &client.ListAuditParams{Action: &action})
	require.NoError(t, err)
	require.NotNil(t, log.JSON200, string(log.Body))
	require.Len(t, log.JSON200.Items, 1)
	require.Contains(t, string(log.JSON200.Items[0].After), `"sealed_anew":1`)
	second, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	answers(want)
	putSecret(t, up, "KEY", "new value")
	answers(`"new value"`)
	require.NoError(t, up.Stop())
	require.Contains(t, rotate(), "sealed 1 secrets", "also while nothing runs")
	third, err := os.ReadFile(file)
	require.NoError(t, err)

	for name, refused := range map[string]struct {
		key  []byte
		says string
	}{
		"an old key": {first, "is not the one that this database's secrets are sealed with"},
		"no key":     {nil, "the instance's key is missing"},
		"half a key": {third[:20], "it is no instance key"},
	} {
		require.NoError(t, os.Remove(file))
		if refused.key != nil {
			require.NoError(t, os.WriteFile(file, refused.key, 0o600))
		}
		_, err := testkit.Launch(testkit.Binary(t), "PICLOUD_DATA_DIR="+up.DataDir)
		require.ErrorContains(t, err, refused.says, name)
		require.NotContains(t, fmt.Sprint(err), strings.TrimSpace(string(third)))
		if refused.key == nil {
			require.NoFileExists(t, file, "no new key is made in its place")
			require.NoError(t, os.WriteFile(file, third, 0o600))
		}
	}
	require.NoError(t, os.Remove(file))
	up = testkit.Up(t, "PICLOUD_DATA_DIR="+up.DataDir, "PICLOUD_INSTANCE_KEY="+string(third))
	answers(`"new value"`)
}

// TestRotationOverAKill kills a rotation in the middle, with some secrets under the new key and some under the old one: all can be read then, and the next rotation ends it.
func TestRotationOverAKill(t *testing.T) {
	up := testkit.Up(t)
	deploy(t, up, "", map[string]string{"answers": `export default async (event: any, ctx: any) => {
		const all: Record<string, string | null> = {};
		for (let i = 0; i < 90; i++) all[i] = await ctx.secrets.get("KEY" + i);
		return all;
	}`})
	deployApp(t, up, "zoo", "", map[string]string{"noop": `export default () => 1`})
	want := map[string]string{}
	for i := range 90 {
		want[fmt.Sprint(i)] = fmt.Sprint("value ", i)
		putSecret(t, up, fmt.Sprint("KEY", i), fmt.Sprint("value ", i))
		put, err := up.Client.PutSecretWithResponse(t.Context(), "zoo", fmt.Sprint("KEY", i), client.SecretValue{Value: "animal"})
		require.NoError(t, err)
		require.Less(t, put.StatusCode(), 300, string(put.Body))
	}
	readable := func() {
		t.Helper()
		wanted, err := json.Marshal(want)
		require.NoError(t, err)
		require.JSONEq(t, string(wanted), answersOf(t, up))
	}

	first, err := os.ReadFile(filepath.Join(up.DataDir, "instance-key"))
	require.NoError(t, err)

	// One row of the second hundred is held, so that the rotation stands still between its two transactions.
	address, ok := pgserver.Running(t.Context(), filepath.Join(up.DataDir, "postgres"), "picloud")
	require.True(t, ok)
	db, err := pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	defer db.Close(t.Context()) //nolint:errcheck // it was used
	holding, err := db.Begin(t.Context())
	require.NoError(t, err)
	_, err = holding.Exec(t.Context(), "SELECT FROM secrets ORDER BY app_id DESC, name DESC LIMIT 1 FOR UPDATE")
	require.NoError(t, err)
	watch, err := pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	defer watch.Close(t.Context()) //nolint:errcheck // it was used
	byKey := func() (counts []int) {
		rows, err := watch.Query(t.Context(), "SELECT count(*)::int FROM secrets GROUP BY key_id ORDER BY 1")
		require.NoError(t, err)
		counts, err = pgx.CollectRows(rows, pgx.RowTo[int])
		require.NoError(t, err)
		return counts
	}
	rotation := exec.CommandContext(t.Context(), testkit.Binary(t), "secrets", "rotate")
	rotation.Env = append(os.Environ(), "PICLOUD_DATA_DIR="+up.DataDir)
	require.NoError(t, rotation.Start())
	testkit.Until(t, settling, "the first hundred is sealed anew", func() bool { return slices.Equal(byKey(), []int{80, 100}) })
	require.NoError(t, rotation.Process.Kill())
	require.Error(t, rotation.Wait())
	require.NoError(t, holding.Rollback(t.Context()))
	both, err := os.ReadFile(filepath.Join(up.DataDir, "instance-key"))
	require.NoError(t, err)
	require.Greater(t, len(both), len(first), "the old key still opens")
	readable()

	up.Kill()
	up = testkit.Up(t, "PICLOUD_DATA_DIR="+up.DataDir)
	readable()
	again := exec.CommandContext(t.Context(), testkit.Binary(t), "secrets", "rotate")
	again.Env = rotation.Env
	out, err := again.CombinedOutput()
	require.NoError(t, err, string(out))
	address, ok = pgserver.Running(t.Context(), filepath.Join(up.DataDir, "postgres"), "picloud")
	require.True(t, ok)
	watch, err = pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	require.Equal(t, []int{180}, byKey(), string(out))
	readable()
	kept, err := os.ReadFile(filepath.Join(up.DataDir, "instance-key"))
	require.NoError(t, err)
	require.Len(t, kept, len(first), "the old keys are gone")
}
