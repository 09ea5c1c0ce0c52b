package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

// kindScenarios are the triggers of the kinds beside http and kv: what their configs may be.
func kindScenarios() []scenario {
	create := func(kind, name, config string) scenario {
		return scenario{
			name: kind + ": " + name, operation: "createTrigger", method: "POST", path: shop + "/triggers",
			body: `{"name":"t","kind":"` + kind + `","script":"hello","config":` + config + `}`,
		}
	}
	good := func(kind, name, config string, says ...string) scenario {
		s := create(kind, name, config)
		s.status, s.says = 201, says
		return s
	}
	bad := func(kind, name, config, field string) scenario {
		s := create(kind, name, config)
		s.status, s.code, s.field = 422, "invalid", field
		return s
	}
	return []scenario{
		good("pubsub", "one topic", `{"topic":"orders.paid"}`, `"config":{"topic":"orders.paid"}`), good("pubsub", "all", `{"topic":"*"}`),
		bad("pubsub", "no topic", `{}`, "config.topic"), bad("pubsub", "star inside", `{"topic":"a*b"}`, "config.topic"),
		bad("pubsub", "empty", `{"topic":""}`, "config.topic"), bad("pubsub", "unknown field", `{"topic":"a","queue":"b"}`, "config.queue"),
		good("cron", "five fields", `{"schedule":"30 7 * * mon-fri","timezone":"Europe/Berlin","overlap":"buffer_one","catchup_window":"10m","jitter":"30s"}`,
			`"config":{"catchup_window":"10m","jitter":"30s","overlap":"buffer_one","schedule":"30 7 * * mon-fri","timezone":"Europe/Berlin"}`, `"next_fires":["2026-01-02T03:04:05Z"`),
		good("cron", "defaults", `{"schedule":"@every 5m"}`, `"config":{"catchup_window":"1h","overlap":"skip","schedule":"@every 5m"}`),
		{
			name: "cron: engine away", operation: "createTrigger", method: "POST", path: shop + "/triggers", body: `{"name":"t","kind":"cron","script":"hello","config":{"schedule":"@daily"}}`,
			before: func(w *world) { w.unscheduled = errDown }, status: 201,
		},
		{
			name: "cron: disabled", operation: "createTrigger", method: "POST", path: shop + "/triggers",
			body: `{"name":"t","kind":"cron","script":"hello","enabled":false,"config":{"schedule":"@daily"}}`, status: 201,
			after: func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				require.Len(t, w.synced, 1)
				require.NotContains(t, rec.Body.String(), "next_fires")
			},
		},
		bad("cron", "no schedule", `{}`, "config.schedule"), bad("cron", "four fields", `{"schedule":"* * * *"}`, "config.schedule"),
		bad("cron", "minute", `{"schedule":"61 * * * *"}`, "config.schedule"), bad("cron", "never", `{"schedule":"0 0 30 2 *"}`, "config.schedule"),
		bad("cron", "every", `{"schedule":"@every 10ms"}`, "config.schedule"), bad("cron", "zone", `{"schedule":"@daily","timezone":"Mars/Olympus"}`, "config.timezone"),
		bad("cron", "overlap", `{"schedule":"@daily","overlap":"x"}`, "config.overlap"), bad("cron", "window", `{"schedule":"@daily","catchup_window":"1s"}`, "config.catchup_window"),
		bad("cron", "window no duration", `{"schedule":"@daily","catchup_window":"soon"}`, "config.catchup_window"), bad("cron", "jitter", `{"schedule":"@daily","jitter":"-1s"}`, "config.jitter"),
		good("queue", "bounded", `{"queue":"mail","max_concurrency":2}`, `"config":{"max_concurrency":2,"queue":"mail"}`), good("queue", "unbounded", `{"queue":"mail"}`, `"config":{"queue":"mail"}`),
		good("queue", "batches", `{"queue":"mail","batch_size":500,"batch_window":"1h"}`, `"config":{"batch_size":500,"batch_window":"1h","queue":"mail"}`),
		good("queue", "batches at once", `{"queue":"mail","batch_size":1}`, `"batch_window":"0s"`),
		bad("queue", "no queue", `{}`, "config.queue"), bad("queue", "star", `{"queue":"m*"}`, "config.queue"), bad("queue", "none at a time", `{"queue":"m","max_concurrency":0}`, "config.max_concurrency"),
		bad("queue", "negative", `{"queue":"m","max_concurrency":-1}`, "config.max_concurrency"), bad("queue", "large batch", `{"queue":"m","batch_size":501}`, "config.batch_size"), bad("queue", "empty batch", `{"queue":"m","batch_size":0}`, "config.batch_size"),
		bad("queue", "long window", `{"queue":"m","batch_size":5,"batch_window":"61m"}`, "config.batch_window"), bad("queue", "window alone", `{"queue":"m","batch_window":"1s"}`, "config.batch_window"),
		good("email", "one address", `{"address":"Support"}`, `"config":{"address":"Support"}`), good("email", "prefix", `{"address":"ticket+*"}`), good("email", "all", `{"address":"*"}`),
		bad("email", "no address", `{}`, "config.address"), bad("email", "empty", `{"address":""}`, "config.address"), bad("email", "star inside", `{"address":"a*b"}`, "config.address"),
		bad("email", "whole address", `{"address":"a@shop.localhost"}`, "config.address"), bad("email", "space", `{"address":"a b"}`, "config.address"),
		bad("email", "long", `{"address":"`+long(65)+`"}`, "config.address"), bad("email", "unknown field", `{"address":"a","topic":"b"}`, "config.topic"),
		good("dead_letter", "all", `{}`), good("dead_letter", "some", `{"script":"ful*","trigger":"on-order","reasons":["timeout","timeout"]}`,
			`"config":{"reasons":["timeout"],"script":"ful*","trigger":"on-order"}`),
		bad("dead_letter", "script", `{"script":"a*b"}`, "config.script"), bad("dead_letter", "trigger", `{"trigger":"*a"}`, "config.trigger"),
		bad("dead_letter", "reason", `{"reasons":["bad luck"]}`, "config.reasons"), bad("dead_letter", "reasons of none", `{"reasons":["bad*"]}`, "config.reasons"),
		good("dead_letter", "reasons", `{"reasons":["script_*"]}`), bad("dead_letter", "unknown field", `{"kind":"kv"}`, "config.kind"),
	}
}

// flowScenarios are what the flow control of a trigger may be.
func flowScenarios() []scenario {
	create := func(name, kind, config, flow string, field string, says ...string) scenario {
		s := scenario{
			name: "flow: " + name, operation: "createTrigger", method: "POST", path: shop + "/triggers", status: 201, says: says,
			body: `{"name":"t","kind":"` + kind + `","script":"hello","config":` + config + `,"flow":` + flow + `}`,
		}
		if field != "" {
			s.status, s.code, s.field = 422, "invalid", field
		}
		return s
	}
	topic := func(name, flow, field string, says ...string) scenario {
		return create(name, "pubsub", `{"topic":"*"}`, flow, field, says...)
	}
	return []scenario{
		topic("all of it", `{"concurrency":{"limit":2,"key":"event.data.customer"},"throttle":{"limit":10,"per":"1m"},"debounce":{"period":"5s","key":"event.subject"},"delay":"1m30s","priority":-5}`, "",
			`"flow":{"concurrency":{"key":"event.data.customer","limit":2},"debounce":{"key":"event.subject","period":"5s"},"delay":"1m30s","priority":-5,"throttle":{"limit":10,"per":"1m"}}`),
		topic("nothing", `{}`, "", `"flow":null`), topic("none", `null`, "", `"flow":null`),
		topic("limit", `{"concurrency":{"limit":0}}`, "flow.concurrency.limit"), topic("no limit", `{"concurrency":{}}`, "flow.concurrency.limit"),
		topic("throttle limit", `{"throttle":{"limit":10001,"per":"1s"}}`, "flow.throttle.limit"), topic("per", `{"throttle":{"limit":1,"per":"25h"}}`, "flow.throttle.per"),
		topic("no per", `{"throttle":{"limit":1}}`, "flow.throttle.per"), topic("per no duration", `{"throttle":{"limit":1,"per":"x"}}`, "flow.throttle.per"),
		topic("period", `{"debounce":{"period":"1ms"}}`, "flow.debounce.period"), topic("delay", `{"delay":"169h"}`, "flow.delay"), topic("priority", `{"priority":101}`, "flow.priority"),
		topic("key", `{"concurrency":{"limit":1,"key":"event."}}`, "flow.concurrency.key"), topic("key of another type", `{"throttle":{"limit":1,"per":"1s","key":"[1]"}}`, "flow.throttle.key"),
		topic("unknown field", `{"rate":1}`, "flow.rate"),
		create("cron", "cron", `{"schedule":"@daily"}`, `{"priority":1}`, "flow"), create("sync", "http", `{}`, `{"priority":1}`, "flow"), create("async", "http", `{"mode":"async"}`, `{"priority":1}`, ""),
		create("batches", "queue", `{"queue":"q","batch_size":5}`, `{"concurrency":{"limit":1,"key":"event.data.a"}}`, "flow"), create("queue", "queue", `{"queue":"q"}`, `{"concurrency":{"limit":1}}`, "flow.concurrency.key"), create("queue by key", "queue", `{"queue":"q"}`, `{"concurrency":{"limit":1,"key":"event.data.a"}}`, ""),
		create("letters", "dead_letter", `{}`, `{"debounce":{"period":"1s"}}`, "flow.debounce"),
	}
}

func messageScenarios() []scenario {
	publish := func(name, topic, body string, status int, code, field string) scenario {
		return scenario{
			name: name, operation: "publishMessage", method: "POST", path: shop + "/topics/" + topic + "/messages", body: body, status: status, code: code, field: field,
		}
	}
	published := publish("stored", "orders%2Fpaid", `{"data": {"n": 12345678901234567890}}`, 202, "", "")
	published.says = []string{`"event_id":"` + testID(78) + `"`, `"executions":["` + testID(77) + `"]`}
	published.after = func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
		t.Helper()
		require.Equal(t, "orders/paid", w.published[0].Topic)
		require.Equal(t, `{"n": 12345678901234567890}`, string(w.published[0].Value), "the text as it was sent")
		require.Equal(t, "admin", w.origins[0].Principal)
		require.NotEmpty(t, w.origins[0].TraceParent)
	}
	send := func(name, queue, body string, status int, code, field string) scenario {
		return scenario{
			name: name, operation: "sendMessage", method: "POST", path: shop + "/queues/" + queue + "/messages", body: body, status: status, code: code, field: field,
		}
	}
	sent := send("stored", "mail", `{"data":{"to":"a"},"delay":"1m30s","priority":-7,"ordering_key":"a@b"}`, 202, "", "")
	sent.says = published.says
	sent.after = func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
		t.Helper()
		require.Equal(t, picloud.Effect{Type: picloud.EffectQueueSend, Queue: "mail", Value: []byte(`{"to":"a"}`), Delay: 90 * time.Second, Priority: -7, OrderingKey: "a@b"}, w.published[0])
	}
	return []scenario{
		sent, send("at once", "mail", `{"data":null}`, 202, "", ""), send("nobody takes from it", "none", `{"data":1}`, 404, "queue_not_found", ""),
		send("no data", "mail", `{"delay":"1s"}`, 422, "invalid", "data"), send("star", "m*", `{"data":1}`, 422, "invalid", "queue"),
		send("delay", "mail", `{"data":1,"delay":"soon"}`, 422, "invalid", "delay"), send("negative delay", "mail", `{"data":1,"delay":"-1s"}`, 422, "invalid", "delay"),
		send("long delay", "mail", `{"data":1,"delay":"169h"}`, 422, "invalid", "delay"), send("priority", "mail", `{"data":1,"priority":101}`, 422, "invalid", "priority"),
		send("priority no number", "mail", `{"data":1,"priority":"high"}`, 422, "invalid", "priority"), send("empty order", "mail", `{"data":1,"ordering_key":""}`, 422, "invalid", "ordering_key"), send("long order", "mail", `{"data":1,"ordering_key":"`+long(257)+`"}`, 422, "invalid", "ordering_key"),
		send("too large", "mail", `{"data":"`+long(big)+`"}`, 413, "payload_too_large", ""), send("malformed", "mail", `[`, 400, "malformed_json", ""),
		{
			name: "listed", operation: "listQueues", path: shop + "/queues", status: 200,
			says: []string{`{"delayed":1,"messages":3,"oldest_age":"1.5s","queue":"mail","running":2,"triggers":["mailer"]}`, `{"delayed":0,"messages":0,"oldest_age":null,"queue":"rows","running":0,"triggers":["load","count"]}`, `"next_cursor":null`},
		},
		{name: "listed in pages", operation: "listQueues", path: shop + "/queues?limit=1", status: 200, says: []string{`"next_cursor":"mail"`}},
		{name: "rest of the list", operation: "listQueues", path: shop + "/queues?cursor=mail", status: 200, says: []string{`"items":[{"delayed":0,"messages":0,"oldest_age":null,"queue":"rows"`}},
		{name: "too many", operation: "listQueues", path: shop + "/queues?limit=501", status: 422, code: "invalid", field: "limit"},
		{name: "no app", operation: "listQueues", path: "/v1/apps/none/queues", status: 404, code: "app_not_found"},
		{name: "no app", operation: "sendMessage", method: "POST", path: "/v1/apps/none/queues/q/messages", body: `{"data":1}`, status: 404, code: "app_not_found"},
		published, publish("null", "orders", `{"data":null}`, 202, "", ""),
		publish("no data", "orders", `{}`, 422, "invalid", "data"), publish("star", "orders.*", `{"data":1}`, 422, "invalid", "topic"),
		publish("control", "%01", `{"data":1}`, 422, "invalid", "topic"), publish("long", long(257), `{"data":1}`, 422, "invalid", "topic"),
		publish("malformed", "orders", `{`, 400, "malformed_json", ""), publish("no body", "orders", ``, 400, "malformed_json", ""),
		publish("too large", "orders", `{"data":"`+long(big)+`"}`, 413, "payload_too_large", ""),
		publish("unknown field", "orders", `{"data":1,"delay":"1s"}`, 422, "invalid", "delay"),
		{name: "no app", operation: "publishMessage", method: "POST", path: "/v1/apps/none/topics/t/messages", body: `{"data":1}`, status: 404, code: "app_not_found"},
	}
}

// sampleOf is the scenario that a trigger of a kind is fired by hand with an event of the kind's own type.
func sampleOf(kind picloud.Kind, eventType string, trigger picloud.Trigger) scenario {
	trigger.ID, trigger.AppID, trigger.Name, trigger.Kind, trigger.Script, trigger.RegisteredByPrincipal = testID(3), "app-shop", "sample", kind, "hello", "someone"
	return scenario{
		name: string(kind), operation: "fireTrigger", method: "POST", path: shop + "/triggers/" + testID(3) + "/fire", body: `{"data":{"a":1}}`, status: 202,
		before: func(w *world) { w.triggers = append(w.triggers, trigger) },
		after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			t.Helper()
			require.Equal(t, eventType, w.events[0].Type)
			require.Equal(t, string(kind)+" sample fired by hand", w.enqueued[0].What)
			require.Equal(t, kind, w.enqueued[0].Kind)
		},
	}
}

// shown is the scenario that the sample of a trigger fits its config.
func shown(name string, trigger picloud.Trigger, says ...string) scenario {
	trigger.ID, trigger.AppID, trigger.Name, trigger.Script, trigger.RegisteredByPrincipal = testID(3), "app-shop", "sample", "hello", "someone"
	return scenario{
		name: name, operation: "sampleTrigger", path: shop + "/triggers/" + testID(3) + "/sample", status: 200, says: says,
		before: func(w *world) { w.triggers = append(w.triggers, trigger) },
	}
}

// backfill is the scenario that the past of a trigger of kind cron is asked for.
func backfill(name, body string, status int, code, field string, change ...func(*world)) scenario {
	trigger := picloud.Trigger{
		ID: testID(3), AppID: "app-shop", Name: "nightly", Kind: picloud.KindCron, Script: "hello", Enabled: true, RegisteredByPrincipal: "someone",
		Cron: &picloud.CronConfig{Schedule: "0 3 * * *", Overlap: picloud.OverlapSkip},
	}
	return scenario{
		name: name, operation: "backfillTrigger", method: "POST", path: shop + "/triggers/" + testID(3) + "/backfill", body: body, status: status, code: code, field: field,
		before: func(w *world) {
			w.triggers = append(w.triggers, trigger)
			for _, c := range change {
				c(w)
			}
		},
	}
}

func backfillScenarios() []scenario {
	const week = `"from":"2026-03-01T00:00:00Z","to":"2026-03-08T00:00:00Z"`
	good := backfill("a week", `{`+week+`,"overlap":"allow_all"}`, 202, "", "")
	good.says = []string{`{"ticks":7}`}
	good.after = func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
		t.Helper()
		require.Equal(t, []string{testID(3) + " 2026-03-01T00:00:00Z 2026-03-08T00:00:00Z true"}, w.synced)
	}
	none := backfill("no tick", `{"from":"2026-03-01T00:00:00Z","to":"2026-03-01T00:01:00Z"}`, 202, "", "")
	none.says = []string{`{"ticks":0}`}
	return []scenario{
		good, none, backfill("one after the other", `{`+week+`}`, 202, "", ""),
		backfill("the wrong way", `{"to":"2026-03-01T00:00:00Z","from":"2026-03-08T00:00:00Z"}`, 422, "invalid", "to"),
		backfill("to come", `{"from":"2026-03-01T00:00:00Z","to":"2999-03-08T00:00:00Z"}`, 422, "invalid", "to"),
		backfill("too long", `{"from":"2020-03-01T00:00:00Z","to":"2026-03-08T00:00:00Z"}`, 422, "invalid", "from"),
		backfill("too many", `{`+week+`}`, 422, "invalid", "from", func(w *world) { w.triggers[len(w.triggers)-1].Cron.Schedule = "* * * * *" }),
		backfill("overlap", `{`+week+`,"overlap":"skip"}`, 422, "invalid", "overlap"), backfill("no time", `{"from":"yesterday","to":"today"}`, 422, "invalid", "from"),
		backfill("disabled", `{`+week+`}`, 409, "trigger_disabled", "", func(w *world) { w.triggers[len(w.triggers)-1].Enabled = false }),
		backfill("engine away", `{`+week+`}`, 503, "engine_unavailable", "", func(w *world) { w.unscheduled = errDown }),
		{
			name: "not cron", operation: "backfillTrigger", method: "POST", path: shop + "/triggers/" + idKVTrigger + "/backfill", body: `{` + week + `}`, status: 409, code: "not_cron",
		},
		{name: "none", operation: "backfillTrigger", method: "POST", path: shop + "/triggers/" + idNoSuchThing + "/backfill", body: `{` + week + `}`, status: 404, code: "trigger_not_found"},
		{
			name: "schedule", operation: "getTrigger", path: shop + "/triggers/" + testID(3), status: 200, before: good.before,
			says: []string{`"last_fires":[{"at":"2026-01-02T02:04:06Z","scheduled_at":"2026-01-02T02:04:05Z"}]`, `"missed_ticks":3`, `"skipped_ticks":4`, `"next_fires":[`},
		},
	}
}

// fireBatch is the scenario that a trigger of batches is fired by hand.
func fireBatch(name, data string, status int) scenario {
	fire := sampleOf(picloud.KindQueue, picloud.TypeQueueBatch, picloud.Trigger{Queue: &picloud.QueueConfig{Queue: "mail", BatchSize: 2}})
	fire.name, fire.body, fire.status = name, `{"data":`+data+`}`, status
	if status == http.StatusUnprocessableEntity {
		fire.after, fire.code, fire.field = nil, "invalid", "data"
	}
	return fire
}

func sampleScenarios() []scenario {
	return []scenario{
		shown("http", picloud.Trigger{Kind: picloud.KindHTTP, HTTP: &picloud.HTTPConfig{Methods: []string{"PUT"}, Path: "/orders/*"}},
			`"type":"picloud.http.request"`, `"source":"/apps/shop/http/hello"`, `"method":"PUT"`, `"path":"/orders/example"`, `"subject":"/orders/example"`, `"traceparent":"00-`, `"depth":1`),
		shown("http with named parts", picloud.Trigger{Kind: picloud.KindHTTP, HTTP: &picloud.HTTPConfig{Methods: []string{"GET"}, Path: "/orders/:id/files/*rest"}},
			`"method":"GET"`, `"path":"/orders/42/files/example"`, `"params":{"id":"42","rest":"example"}`, `"body":null`),
		shown("email", picloud.Trigger{Kind: picloud.KindEmail, Email: &picloud.EmailConfig{Address: "support*"}}, `"subject":"supportexample@shop.localhost"`),
		shown("batches of one", picloud.Trigger{Kind: picloud.KindQueue, Queue: &picloud.QueueConfig{Queue: "mail", BatchSize: 1}}, `"}],"datacontenttype"`, `"data":[{"data":{"customer"`),
		shown("kv", picloud.Trigger{Kind: picloud.KindKV, KV: &picloud.KVConfig{Collection: "orders:*", Operations: []string{picloud.KVDeleted}, Key: "k"}},
			`"type":"picloud.kv.deleted"`, `"collection":"orders:example"`, `"key":"k"`, `"value":null`, `"old_value":{`),
		shown("pubsub", picloud.Trigger{Kind: picloud.KindPubSub, PubSub: &picloud.PubSubConfig{Topic: "*"}}, `"type":"picloud.topic.message"`, `"subject":"example"`),
		shown("queue", picloud.Trigger{Kind: picloud.KindQueue, Queue: &picloud.QueueConfig{Queue: "mail"}}, `"type":"picloud.queue.message"`, `"source":"/apps/shop/queue/mail"`),
		shown("queue in batches", picloud.Trigger{Kind: picloud.KindQueue, Queue: &picloud.QueueConfig{Queue: "mail", BatchSize: 5}}, `"type":"picloud.queue.message.batch"`, `"data":[{"data":`),
		shown("cron", picloud.Trigger{Kind: picloud.KindCron, Cron: &picloud.CronConfig{Schedule: "@daily"}}, `"type":"picloud.cron.tick"`, `"schedule":"@daily"`, `T00:00:00Z"`),
		shown("dead_letter", picloud.Trigger{Kind: picloud.KindDeadLetter, DeadLetter: &picloud.DeadLetterConfig{Script: "ful*", Reasons: []picloud.Glob{"timeo*"}}},
			`"type":"picloud.dead_letter.created"`, `"script":"fulexample"`, `"reason":"timeout"`, `"event":{`, `"resolution":null`),
		fireBatch("no list", `{"sku":"tea"}`, 422), fireBatch("no messages", `[]`, 422), fireBatch("no id", `[{"data":1}]`, 422), fireBatch("no data", `[{"id":"1"}]`, 422),
		fireBatch("one id twice", `[{"id":"1","data":1},{"id":"1","data":2}]`, 422), fireBatch("too many", `[{"id":"1","data":1},{"id":"2","data":2},{"id":"3","data":2}]`, 422),
		fireBatch("batch", `[{"id":"1","data":1},{"id":"2","data":null}]`, 202),
		{name: "none", operation: "sampleTrigger", path: shop + "/triggers/" + idNoSuchThing + "/sample", status: 404, code: "trigger_not_found"},
		{
			name: "without data", operation: "fireTrigger", method: "POST", path: shop + "/triggers/" + idKVTrigger + "/fire", body: `{}`, status: 202,
			after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				t.Helper()
				require.Contains(t, string(w.events[0].Data), `"old_value":{"`, "the sample's")
			},
		},
		sampleOf(picloud.KindPubSub, picloud.TypeTopicMessage, picloud.Trigger{PubSub: &picloud.PubSubConfig{Topic: "*"}}),
		sampleOf(picloud.KindQueue, picloud.TypeQueueMessage, picloud.Trigger{Queue: &picloud.QueueConfig{Queue: "mail"}}),
		sampleOf(picloud.KindCron, picloud.TypeCronTick, picloud.Trigger{Cron: &picloud.CronConfig{Schedule: "@daily"}}),
		sampleOf(picloud.KindEmail, picloud.TypeEmailReceived, picloud.Trigger{Email: &picloud.EmailConfig{Address: "*"}}),
		sampleOf(picloud.KindDeadLetter, picloud.TypeDeadLetterCreated, picloud.Trigger{DeadLetter: &picloud.DeadLetterConfig{}}),
	}
}

func TestEveryKindHasASample(t *testing.T) {
	t.Parallel()
	for _, kind := range picloud.Kinds {
		require.Contains(t, samples, kind, "add a row to samples")
	}
}
