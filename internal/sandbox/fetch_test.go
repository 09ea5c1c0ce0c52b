package sandbox_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox"
	"github.com/picloud/picloud/internal/sandbox/egress"
)

// newFetchBench is a bench whose scripts find h at every name of the Internet.
func newFetchBench(t *testing.T, h http.HandlerFunc) *bench {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	self, err := os.Executable()
	require.NoError(t, err)
	b := &bench{TB: t, kv: &memoryKV{}}
	b.pool, err = sandbox.New(sandbox.Options{
		Command: []string{self, "sandbox-child"}, Size: 1, KV: b.kv, Log: silent(),
		Egress: &egress.Guard{
			Resolve: func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("1.1.1.1")}, nil
			},
			Connect: func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "tcp", server.Listener.Addr().String())
			},
		},
	})
	require.NoError(t, err)
	t.Cleanup(b.pool.Close)
	return b
}

func TestFetchInAScript(t *testing.T) {
	t.Parallel()
	b := newFetchBench(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		case "/moved":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/binary":
			_, _ = w.Write([]byte{0, 255, 1})
		default:
			w.Header().Set("Content-Type", "application/json")
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.Header().Set("X-Key", r.Header.Get("Idempotency-Key"))
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"method":"`+r.Method+`","type":"`+r.Header.Get("Content-Type")+`","body":"`+string(body)+`"}`)
		}
	})
	for body, want := range map[string]string{
		`const r = await ctx.fetch("https://api.example/x".replace("https", "http")); return [r.status, r.ok, r.statusText, r.url, r.redirected, r instanceof Response, await r.json()]`:                   `[201,true,"Created","http://api.example/x",false,true,{"method":"GET","type":"","body":""}]`,
		`return await (await fetch("http://a.example", { method: "post", body: "hi" })).json()`:                                                                                                            `{"method":"POST","type":"text/plain;charset=UTF-8","body":"hi"}`,
		`return await (await fetch(new Request("http://a.example", { method: "PUT", body: new URLSearchParams({ a: "b c" }) }))).json()`:                                                                   `{"method":"PUT","type":"application/x-www-form-urlencoded;charset=UTF-8","body":"a=b+c"}`,
		`return await (await fetch(new URL("http://a.example"), { method: "POST", body: new TextEncoder().encode("bytes"), headers: { "content-type": "x/y" } })).json()`:                                  `{"method":"POST","type":"x/y","body":"bytes"}`,
		`const r = await fetch("http://a.example"); return [r.headers.get("X-Key"), r.headers.getSetCookie(), r.headers.get("content-type")]`:                                                              `["0190-exec-1",["a=1","b=2"],"application/json"]`,
		`return [...new Uint8Array(await (await fetch("http://a.example/binary")).arrayBuffer())]`:                                                                                                         `[0,255,1]`,
		`const r = await fetch("http://a.example/empty"); return [r.status, r.body, await r.text()]`:                                                                                                       `[204,null,""]`,
		`const r = await fetch("http://a.example/moved"); return [r.url, r.redirected]`:                                                                                                                    `["http://a.example/end",true]`,
		`const r = await fetch("http://a.example/moved", { redirect: "manual" }); return [r.status, r.headers.get("location")]`:                                                                            `[302,"/end"]`,
		`return [ctx.fetch === fetch, typeof fetch, fetch.name]`:                                                                                                                                           `[true,"function","fetch"]`,
		`const all = await Promise.all([1, 2, 3].map((n) => fetch("http://a.example/" + n))); return all.map((r) => r.headers.get("x-key"))`:                                                               `["0190-exec-1","0190-exec-2","0190-exec-3"]`,
		`const tries = []; for (const u of ["http://10.0.0.5/", "http://[::1]/", "no url", "ftp://x.example/"]) try { await fetch(u) } catch (e: any) { tries.push(e instanceof TypeError) } return tries`: `[true,true,true,true]`,
		`try { await fetch("http://10.0.0.5/") } catch (e: any) { return e.message }`:                                                                                                                      `"fetch to 10.0.0.5 refused: private address; PICLOUD_FETCH_ALLOW_PRIVATE or PICLOUD_FETCH_ALLOW opens it"`,
		`try { await fetch("http://a.example", { method: "POST", body: "x".repeat(2 << 20) }) } catch (e: any) { return e.message }`:                                                                       `"fetch: the body has 2097152 bytes, the payload limit is 1048576"`,
		`try { await fetch("http://a.example", { headers: { a: "x".repeat(1e5) } }) } catch (e: any) { return [e.name, e.message.includes("bytes")] }`:                                                     `["TypeError",true]`,
		`const signal = AbortSignal.abort("mine"); try { await fetch("http://a.example", { signal }) } catch (e: any) { return e }`:                                                                        `"mine"`,
		`const p = fetch("http://a.example", { method: "GET", body: "x" }); return p.then(() => "sent", (e: any) => e.name)`:                                                                               `"TypeError"`,
		`const signal = { aborted: false }; return (await fetch("http://a.example", { signal: signal as any })).status`:                                                                                    `201`,
		`const c = new AbortController(); const r = await fetch("http://a.example", { signal: c.signal }); c.abort(); return (await r.json()).method`:                                                      `"GET"`,
		`fetch("http://a.example"); return 1`: `1`,
	} {
		require.JSONEq(t, want, b.value(body), body)
	}
}

func TestFetchFailsWhereItWasCalled(t *testing.T) {
	t.Parallel()
	b := newFetchBench(t, func(http.ResponseWriter, *http.Request) {})
	e := b.run("export default async () => {\n  const load = async () => {\n    return await fetch('http://10.0.0.5/') }\n  await load()\n}").Failure
	require.NotNil(t, e)
	require.Equal(t, "TypeError", e.Type)
	require.Regexp(t, `^TypeError: fetch to 10.0.0.5 refused: .*\n    at load \(fulfil.ts:3:\d+\)\n    at .*fulfil.ts:4:`, e.Stack)
}

func TestFetchIsAborted(t *testing.T) {
	t.Parallel()
	b := newFetchBench(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	require.Equal(t, `["AbortError",true]`, b.value(`const c = new AbortController();
		setTimeout(() => c.abort(), 1);
		try { await fetch("http://a.example", { signal: c.signal }) } catch (e: any) { return [e.name, e === c.signal.reason] }`))
	require.Equal(t, `"TimeoutError"`, b.value(`try { await fetch("http://a.example", { signal: AbortSignal.timeout(5) }) } catch (e: any) { return e.name }`))
	require.Equal(t, `"first"`, b.value(`const c = new AbortController(); return await Promise.race([fetch("http://a.example", { signal: c.signal }).catch(() => "aborted"), Promise.resolve("first")])`),
		"a request that nobody waits for ends with its run")
	run := attempt(b.compile(`export default async () => { await fetch("http://a.example") }`))
	run.Limits = picloud.Limits{Wall: picloud.DefaultLimits.Wall / 50}
	require.Equal(t, "WallLimitExceeded", b.runAs(run).Failure.Type, "no request outlives the run's wall limit")
}

func TestFetchIsLimited(t *testing.T) {
	t.Parallel()
	b := newFetchBench(t, func(http.ResponseWriter, *http.Request) {})
	require.Equal(t, "FetchLimitExceeded", b.failure(`for (;;) await fetch("http://a.example")`).Type)
	run := attempt(b.compile(`export default async (e: any, ctx: any) => { try { await ctx.fetch("http://a.example") } catch (e: any) { return e.message } }`))
	run.DryRun = true
	require.Contains(t, string(b.runAs(run).Result.Value), "refused in a dry run")
	run.DryRun, run.FetchAllow = false, []string{"*.other.example"}
	require.Contains(t, string(b.runAs(run).Result.Value), "not in the app's fetch_allow list")
	run.FetchAllow = []string{"http://broken"}
	_, err := b.pool.Run(t.Context(), run)
	require.Error(t, err)
}
