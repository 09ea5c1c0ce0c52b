package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// sample is an example of what a trigger fires on: what the last part of the event's source names, its subject, type and data.
type sample struct {
	what, subject, kind string
	data                any
}

// place is where a trigger is: the slug of its app, and the domain of the instance's mail.
type place struct {
	app  string
	mail picloud.MailDomain
}

// samples make, by kind, a sample that fits the config of a trigger. A new kind is a new row.
var samples = map[picloud.Kind]func(picloud.Trigger, place) sample{
	picloud.KindHTTP:       httpSample,
	picloud.KindKV:         kvSample,
	picloud.KindPubSub:     pubSubSample,
	picloud.KindQueue:      queueSample,
	picloud.KindCron:       cronSample,
	picloud.KindEmail:      emailSample,
	picloud.KindDeadLetter: letterSample,
}

// sampleEvent gives an event as the trigger fires on, from outside and of now.
func (s *server) sampleEvent(ctx context.Context, app picloud.App, t picloud.Trigger) (picloud.Event, error) {
	made := samples[t.Kind](t, place{app.Slug, s.MailDomain})
	data, err := json.Marshal(made.data)
	if err != nil {
		return picloud.Event{}, fmt.Errorf("encode sample: %w", err)
	}
	event := newEvent(ctx, "/apps/"+app.Slug+"/"+string(t.Kind)+"/"+made.what, made.subject, data)
	event.Type = made.kind
	return event, nil
}

// sampleValue is what people put into their stores and messages, for want of a better guess.
var sampleValue = map[string]any{"id": "42", "total": 120, "customer": "ann@example.com"}

// covered gives a name that the glob covers: itself, or one that ends in example.
func covered(g picloud.Glob) string {
	if prefix, ok := strings.CutSuffix(string(g), "*"); ok {
		return prefix + "example"
	}
	if g == "" {
		return "example"
	}
	return string(g)
}

func httpSample(t picloud.Trigger, _ place) sample {
	method := http.MethodPost
	if len(t.HTTP.Methods) > 0 {
		method = t.HTTP.Methods[0]
	}
	pattern, _ := picloud.ParsePath("path", t.HTTP.Path) // it was checked when the trigger was registered
	path, params := pattern.Example()
	data := httpData{Method: method, Path: path, Params: params, Query: map[string]any{"q": "example"}, Headers: map[string]string{"host": "localhost", "user-agent": "sample"}}
	if method != http.MethodGet && method != http.MethodHead {
		data.Body, data.Headers["content-type"] = sampleValue, "application/json"
	}
	return sample{t.Script, path, picloud.TypeHTTPRequest, data}
}

func kvSample(t picloud.Trigger, _ place) sample {
	data := map[string]any{"collection": covered(t.KV.Collection), "key": covered(t.KV.Key), "value": sampleValue, "old_value": nil, "version": 1}
	kind := picloud.TypeKVUpdated
	if len(t.KV.Operations) > 0 {
		kind = map[string]string{picloud.KVCreated: picloud.TypeKVCreated, picloud.KVUpdated: picloud.TypeKVUpdated, picloud.KVDeleted: picloud.TypeKVDeleted}[t.KV.Operations[0]]
	}
	switch kind {
	case picloud.TypeKVUpdated:
		data["old_value"] = map[string]any{"id": "42", "total": 90, "customer": "ann@example.com"}
	case picloud.TypeKVDeleted:
		data["value"], data["old_value"] = nil, sampleValue
	}
	return sample{covered(t.KV.Collection), covered(t.KV.Key), kind, data}
}

func pubSubSample(t picloud.Trigger, _ place) sample {
	topic := covered(t.PubSub.Topic)
	return sample{topic, topic, picloud.TypeTopicMessage, sampleValue}
}

func queueSample(t picloud.Trigger, _ place) sample {
	if t.Queue.BatchSize > 0 {
		messages := make([]map[string]any, min(t.Queue.BatchSize, 2))
		for i := range messages {
			messages[i] = map[string]any{"id": newID(), "data": sampleValue}
		}
		return sample{t.Queue.Queue, t.Queue.Queue, picloud.TypeQueueBatch, messages}
	}
	return sample{t.Queue.Queue, t.Queue.Queue, picloud.TypeQueueMessage, sampleValue}
}

func cronSample(t picloud.Trigger, _ place) sample {
	at := time.Now().UTC()
	times, err := picloud.ParseCron(t.Cron.Schedule)
	zone, zoneErr := time.LoadLocation(t.Cron.Timezone)
	if err == nil && zoneErr == nil { // they were checked when the trigger was registered
		at = times.Last(at, zone)
	}
	return sample{t.Name, t.Name, picloud.TypeCronTick, map[string]string{"scheduled_at": at.Format(time.RFC3339), "schedule": t.Cron.Schedule}}
}

func emailSample(t picloud.Trigger, at place) sample {
	local := covered(t.Email.Address)
	address := at.mail.Address(picloud.Mailbox{Local: local, App: at.app})
	return sample{local, address, picloud.TypeEmailReceived, picloud.EmailData{
		From: "ann@example.com", To: []string{address}, CC: []string{}, Subject: "Where is my order?", Text: "Hello,\n\nwhere is order 42?\n\nAnn\n",
		Headers:     map[string]string{"from": "Ann <ann@example.com>", "to": address, "subject": "Where is my order?", "message-id": "<42@example.com>", "return-path": "<ann@example.com>"},
		Attachments: []picloud.EmailAttachment{{Filename: "receipt.txt", ContentType: "text/plain", Size: 8, Content: []byte("order 42")}}, SPF: picloud.AuthPass, DKIM: picloud.AuthPass,
	}}
}

// letterSample is the letter of a script that failed on a message.
func letterSample(t picloud.Trigger, at place) sample {
	script, trigger, now := covered(t.DeadLetter.Script), covered(t.DeadLetter.Trigger), time.Now().UTC()
	event := picloud.Event{
		SpecVersion: "1.0", ID: newID(), Source: "/apps/" + at.app + "/pubsub/orders", Type: picloud.TypeTopicMessage, Subject: "orders", Time: now, DataContentType: "application/json",
		Data: json.RawMessage(`{"id":"42","total":120}`), Depth: 1,
	}
	event.RootID, event.TraceParent = event.ID, picloud.NewTrace(event.ID)
	fault := picloud.ScriptError{Reason: t.DeadLetter.SampleReason(), Type: "Error", Message: "an example of a failure", Stack: "Error: an example of a failure\n    at " + script + ".ts:1:1"}
	letter := picloud.DeadLetter{
		ID: newID(), ExecutionID: newID(), Script: script, Version: 1, Trigger: trigger, Kind: picloud.KindPubSub, Reason: fault.Reason, Error: fault, Event: event,
		Attempts: 3, Depth: 1, Fingerprint: fault.Fingerprint(script), CreatedAt: now,
	}
	return sample{script, letter.ID, picloud.TypeDeadLetterCreated, toDeadLetter(letter)}
}

// SampleTrigger implements StrictServerInterface.
func (s *server) SampleTrigger(ctx context.Context, request SampleTriggerRequestObject) (SampleTriggerResponseObject, error) {
	app, t, err := s.trigger(ctx, request.App, request.Trigger)
	if err != nil {
		return nil, err
	}
	event, err := s.sampleEvent(ctx, app, t)
	if err != nil {
		return nil, err
	}
	return SampleTrigger200JSONResponse(*toEvent(&event)), nil
}
