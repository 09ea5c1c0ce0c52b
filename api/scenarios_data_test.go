package api

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

func kvScenarios() []scenario {
	orders := shop + "/kv/orders"
	put := func(name, path, body string, headers map[string]string, status int, code, field string) scenario {
		return scenario{name: name, operation: "putKV", method: "PUT", path: path, body: body, headers: headers, status: status, code: code, field: field}
	}
	match := func(tag string) map[string]string { return map[string]string{"If-Match": tag} }
	absent := map[string]string{"If-None-Match": "*"}
	written := put("new", orders+"/new", ` {"n": 12345678901234567890} `, map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, 200, "", "")
	written.answers = map[string]string{"ETag": `"10"`}
	written.says = []string{`"executions":["` + testID(77) + `"]`}
	written.after = func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
		t.Helper()
		require.Equal(t, `{"n": 12345678901234567890}`, string(w.kv["orders/new"].Value), "the text as it was sent")
		require.Equal(t, picloud.Origin{Principal: "admin", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, w.origins[0])
	}
	return []scenario{
		written,
		put("null", orders+"/new", `null`, nil, 200, "", ""), put("at the version", orders+"/z", `1`, match(`"9"`), 200, "", ""),
		put("at another", orders+"/z", `1`, match(`"8"`), 412, "precondition_failed", ""), put("foreign tag", orders+"/z", `1`, match(`"abc"`), 412, "precondition_failed", ""),
		put("no tag", orders+"/z", `1`, match(`W/"9"`), 422, "invalid", "If-Match"), put("any tag", orders+"/z", `1`, match(`*`), 422, "invalid", "If-Match"),
		put("absent", orders+"/new", `1`, absent, 200, "", ""), put("not absent", orders+"/z", `1`, absent, 412, "precondition_failed", ""),
		put("unless a tag", orders+"/z", `1`, map[string]string{"If-None-Match": `"9"`}, 422, "invalid", "If-None-Match"),
		put("both", orders+"/z", `1`, map[string]string{"If-None-Match": `*`, "If-Match": `"9"`}, 422, "invalid", "If-Match"),
		put("malformed", orders+"/z", `{`, nil, 400, "malformed_json", ""), put("empty", orders+"/z", ``, nil, 400, "malformed_json", ""),
		put("too large", orders+"/z", `"`+long(big)+`"`, nil, 413, "payload_too_large", ""),
		put("control in key", orders+"/%00", `1`, nil, 422, "invalid", "key"), put("long key", orders+"/"+long(1025), `1`, nil, 422, "invalid", "key"),
		put("no app", "/v1/apps/none/kv/c/k", `1`, nil, 404, "app_not_found", ""),
		{name: "slash in key", operation: "getKV", path: orders + "/a%2Fb", status: 200, says: []string{"12345678901234567890"}, answers: map[string]string{"ETag": `"7"`}},
		{name: "null", operation: "getKV", path: orders + "/z", status: 200, says: []string{"null"}},
		{name: "unchanged", operation: "getKV", path: orders + "/z", headers: map[string]string{"If-None-Match": `"1", "9"`}, status: 304},
		{name: "changed", operation: "getKV", path: orders + "/z", headers: map[string]string{"If-None-Match": `"1"`}, status: 200},
		{name: "none", operation: "getKV", path: orders + "/none", status: 404, code: "key_not_found"},
		{name: "bad collection", operation: "getKV", path: shop + "/kv/%01/k", status: 422, code: "invalid", field: "collection"},
		{name: "gone", operation: "deleteKV", method: "DELETE", path: orders + "/z", headers: match(`"9"`), status: 200, says: []string{`"executions":[]`}},
		{name: "at another", operation: "deleteKV", method: "DELETE", path: orders + "/z", headers: match(`"8"`), status: 412, code: "precondition_failed"},
		{name: "none", operation: "deleteKV", method: "DELETE", path: orders + "/none", status: 404, code: "key_not_found"},
		{name: "page", operation: "listKV", path: orders + "?limit=1", status: 200, says: []string{`"next_cursor":"a/b"`}},
		{name: "prefix", operation: "listKV", path: orders + "?prefix=z", status: 200, says: []string{`"key":"z"`, `"value":null`}},
		{name: "bad prefix", operation: "listKV", path: orders + "?prefix=%ff", status: 422, code: "invalid", field: "prefix"},
		{name: "bad cursor", operation: "listKV", path: orders + "?cursor=%00", status: 422, code: "invalid", field: "cursor"},
	}
}

func executionScenarios() []scenario {
	list := shop + "/executions"
	run := func(w *world) {
		w.engine.run(picloud.Firing{ExecutionID: testID(25), AppID: "app-shop", Script: "slow", RootID: testID(5)})
		w.engine.run(picloud.Firing{ExecutionID: idQueued, AppID: "app-shop", Script: "hello", RootID: testID(5)})
		w.engine.run(picloud.Firing{ExecutionID: idFinished, AppID: "app-shop", Script: "hello", RootID: testID(5)}) // visibility lags
	}
	bad := func(query, field string) scenario {
		return scenario{name: query, operation: "listExecutions", path: list + "?" + query, status: 422, code: "invalid", field: field}
	}
	return []scenario{
		{
			name: "merged", operation: "listExecutions", path: list, before: run, status: 200, says: []string{`"next_cursor":null`},
			after: func(t *testing.T, _ *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				require.Equal(t, []string{idQueued + " running", testID(25) + " running", idFinished + " succeeded", idFailed + " dead_lettered"}, idsOf(t, rec))
			},
		},
		{
			name: "first page", operation: "listExecutions", path: list + "?limit=2", before: run, status: 200, says: []string{`"next_cursor":"` + testID(25) + `"`},
			after: func(t *testing.T, _ *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				require.Equal(t, []string{idQueued + " running", testID(25) + " running"}, idsOf(t, rec))
			},
		},
		{
			name: "next page", operation: "listExecutions", path: list + "?limit=2&cursor=" + testID(25), before: run, status: 200, says: []string{`"next_cursor":null`},
			after: func(t *testing.T, _ *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				require.Equal(t, []string{idFinished + " succeeded", idFailed + " dead_lettered"}, idsOf(t, rec))
			},
		},
		{name: "queued", operation: "listExecutions", path: list + "?status=queued", status: 200, says: []string{idQueued, `"temporal_url":null`, `"version":null`}},
		{name: "filters", operation: "listExecutions", path: list + "?kind=kv&script=hello&trigger=t&root=" + testID(5) + "&since=2026-01-01T00:00:00Z", status: 200},
		{name: "engine down", operation: "listExecutions", path: list, before: func(w *world) { w.engine.down = errDown }, status: 503, code: "engine_unavailable"},
		bad("status=x", "status"), bad("kind=x", "kind"), bad("root=x", "root"), bad("since=yesterday", "since"), bad("script=%00", "script"), bad("cursor=x", "cursor"),
		bad("limit=-1", "limit"),
		{
			name: "finished", operation: "getExecution", path: list + "/" + idFinished + "?wait=1h", status: 200,
			says: []string{
				`"result":{"status":200,"headers":[],"body":"x"}`, `"temporal_url":"http://temporal.test/` + idFinished + `"`, `"retry_after":"1s"`, `"parent_id":null`,
				`"effects":[{"collection":"c","key":"k","type":"kv.set","value":1}]`,
			},
		},
		{name: "queued", operation: "getExecution", path: list + "/" + idQueued, status: 200, says: []string{`"status":"queued"`, `"temporal_url":null`, `"started_at":null`}},
		{name: "running", operation: "getExecution", path: list + "/" + testID(25), before: run, status: 200, says: []string{`"status":"running"`}},
		{name: "running with its event", operation: "getExecution", path: list + "/" + idQueued, before: run, status: 200, says: []string{`"status":"running"`, "picloud.kv.created"}},
		{name: "none", operation: "getExecution", path: list + "/" + idNoSuchThing, status: 404, code: "execution_not_found"},
		{name: "no id", operation: "getExecution", path: list + "/%00", status: 404, code: "execution_not_found"},
		{name: "no app", operation: "getExecution", path: "/v1/apps/none/executions/" + idFinished, status: 404, code: "app_not_found"},
		{name: "bad wait", operation: "getExecution", path: list + "/" + idFinished + "?wait=30", status: 422, code: "invalid", field: "wait"},
		{name: "negative wait", operation: "getExecution", path: list + "/" + idFinished + "?wait=-1s", status: 422, code: "invalid", field: "wait"},
		{
			name: "asked", operation: "cancelExecution", method: "POST", path: list + "/" + testID(25) + "/cancel", before: run, status: 202,
			after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				t.Helper()
				require.Equal(t, []string{testID(25)}, w.engine.cancels)
			},
		},
		{name: "over", operation: "cancelExecution", method: "POST", path: list + "/" + idFinished + "/cancel", status: 409, code: "already_finished"},
		{name: "queued", operation: "cancelExecution", method: "POST", path: list + "/" + idQueued + "/cancel", status: 202, says: []string{`"canceled"`}},
		{name: "none", operation: "cancelExecution", method: "POST", path: list + "/" + idNoSuchThing + "/cancel", status: 404, code: "execution_not_found"},
		{name: "all", operation: "listAbandonedExecutions", path: shop + "/abandoned-executions", status: 200, says: []string{idFinished}},
		{name: "bad cursor", operation: "listAbandonedExecutions", path: shop + "/abandoned-executions?cursor=x", status: 422, code: "invalid", field: "cursor"},
	}
}

func letterScenarios() []scenario {
	list := shop + "/dead-letters"
	post := func(operation, name, id, verb, body string, status int, code, field string, says ...string) scenario {
		return scenario{name: name, operation: operation, method: "POST", path: list + "/" + id + verb, body: body, status: status, code: code, field: field, says: says}
	}
	replay := func(name, id, body string, status int, code, field string, says ...string) scenario {
		return post("replayDeadLetter", name, id, "/replay", body, status, code, field, says...)
	}
	ignore := func(name, id, body string, status int, code, field string, says ...string) scenario {
		return post("ignoreDeadLetter", name, id, "/ignore", body, status, code, field, says...)
	}
	replayed := replay("unresolved", idUnresolved, "", 202, "", "", `"id":"`+testID(55)+`"`, `"status":"queued"`, `"replay_of":"`+idUnresolved+`"`)
	replayed.answers = map[string]string{"Location": shop + "/executions/" + testID(55)}
	return []scenario{
		{name: "all", operation: "listDeadLetters", path: list + "?limit=1", status: 200, says: []string{`"next_cursor":"` + idResolved + `"`}},
		{name: "unresolved", operation: "listDeadLetters", path: list + "?resolution=unresolved", status: 200, says: []string{idUnresolved, `"resolution":null`, `"next_cursor":null`}},
		{name: "filters", operation: "listDeadLetters", path: list + "?resolution=ignored&script=hello&trigger=t&reason=timeout&fingerprint=f", status: 200},
		{name: "bad resolution", operation: "listDeadLetters", path: list + "?resolution=x", status: 422, code: "invalid", field: "resolution"},
		{name: "bad filter", operation: "listDeadLetters", path: list + "?reason=%00", status: 422, code: "invalid", field: "reason"},
		{name: "bad cursor", operation: "listDeadLetters", path: list + "?cursor=x", status: 422, code: "invalid", field: "cursor"},
		{name: "bad time", operation: "listDeadLetters", path: list + "?since=yesterday", status: 422, code: "invalid", field: "since"},
		{name: "groups", operation: "groupDeadLetters", path: list + "/groups", status: 200, says: []string{`"sample":"` + idUnresolved + `"`, `"more":false`, `"type":"TypeError"`}},
		{
			name: "groups of all", operation: "groupDeadLetters", status: 200, says: []string{`"more":true`, idResolved},
			path: list + "/groups?resolution=all&limit=1&since=2026-01-01T00:00:00Z&until=2027-01-01T00:00:00Z",
		},
		{name: "bad resolution", operation: "groupDeadLetters", path: list + "/groups?resolution=x", status: 422, code: "invalid", field: "resolution"},
		{name: "bad limit", operation: "groupDeadLetters", path: list + "/groups?limit=0", status: 422, code: "invalid", field: "limit"},
		{name: "no app", operation: "groupDeadLetters", path: "/v1/apps/none/dead-letters/groups", status: 404, code: "app_not_found"},
		{name: "count", operation: "countDeadLetters", path: list + "/count", status: 200, says: []string{`"unresolved":1`, `"dropped":7`}},
		{name: "no app", operation: "countDeadLetters", path: "/v1/apps/none/dead-letters/count", status: 404, code: "app_not_found"},
		{name: "one", operation: "getDeadLetter", path: list + "/" + idResolved, status: 200, says: []string{`"resolution":"ignored"`, `"resolved_by":"admin"`, `"reason":"script_error"`}},
		{name: "none", operation: "getDeadLetter", path: list + "/" + idNoSuchThing, status: 404, code: "dead_letter_not_found"},
		{name: "no id", operation: "getDeadLetter", path: list + "/x", status: 404, code: "dead_letter_not_found"},
		{
			name: "tape", operation: "getDeadLetterTape", path: list + "/" + idUnresolved + "/tape", status: 200,
			says: []string{`"seed":"4611686018427387904"`, `"what":"kv.get orders/42"`, `"secrets":["token"]`, `"script":"hello"`, `"attempt":3`},
		},
		{name: "no tape", operation: "getDeadLetterTape", path: list + "/" + idResolved + "/tape", status: 404, code: "tape_not_found"},
		{name: "tape of none", operation: "getDeadLetterTape", path: list + "/" + idNoSuchThing + "/tape", status: 404, code: "dead_letter_not_found"},
		replayed,
		replay("again", idResolved, `{"again":true,"version":1,"data":{"a":2}}`, 202, "", ""),
		replay("resolved", idResolved, `{}`, 409, "already_resolved", ""), replay("none", idNoSuchThing, ``, 404, "dead_letter_not_found", ""),
		replay("active version", idUnresolved, `{"version":"active"}`, 202, "", ""),
		replay("bad version", idUnresolved, `{"version":0}`, 422, "invalid", "version"), replay("version no number", idUnresolved, `{"version":"last"}`, 422, "invalid", "version"),
		replay("dry run", idUnresolved, `{"dry_run":true,"data":{"a":2}}`, 200, "", "", `"status":"succeeded"`, `"after":1`, `"changes":true`, `"replay_of":"`+idUnresolved+`"`, `"data":{"a":2}`),
		replay("dry run of what is resolved", idResolved, `{"dry_run":true,"fetch":"live"}`, 200, "", ""), replay("fetch for good", idUnresolved, `{"fetch":"live"}`, 422, "invalid", "fetch"),
		replay("dry run of no version", idUnresolved, `{"dry_run":true,"version":9}`, 404, "version_not_found", ""),
		replay("malformed", idUnresolved, `{"version"`, 400, "malformed_json", ""),
		replay("too large", idUnresolved, `{"data":"`+long(big)+`"}`, 413, "payload_too_large", ""),
		ignore("with a note", idUnresolved, `{"note":"known"}`, 200, "", "", `"resolution":"ignored"`, `"note":"known"`), ignore("without", idUnresolved, ``, 200, "", ""),
		ignore("resolved", idResolved, `{}`, 409, "already_resolved", ""), ignore("none", idNoSuchThing, ``, 404, "dead_letter_not_found", ""),
		ignore("long note", idUnresolved, `{"note":"`+long(2001)+`"}`, 422, "invalid", "note"), ignore("note no text", idUnresolved, `{"note":1}`, 422, "invalid", "note"),
	}
}
