package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// memory implements the domain's stores in memory: just enough for the API's scenarios. writes counts changes.
type memory struct {
	mu          sync.Mutex
	writes      int
	app         map[string]picloud.App
	scripts     map[string]picloud.Script          // by name: the app "shop" has them all
	versions    map[string][]picloud.ScriptVersion // by script
	triggers    []picloud.Trigger
	kv          map[string]picloud.KVEntry // by collection/key
	sequence    int64
	origins     []picloud.Origin
	executions  map[string]picloud.Execution
	letters     map[string]picloud.DeadLetter
	abandoned   []picloud.AbandonedExecution
	stopped     []string // by StopRuns
	noCancels   error    // what CancelExecution gives
	published   []picloud.Effect
	synced      []string // ids of cron triggers
	unscheduled error    // what Schedules answers
	enqueued    []picloud.Firing
	kept        []picloud.Event
	events      []picloud.Event
	idempotency map[string]string
	secrets     map[string]string
	compiled    int
	broken      error // every read of apps fails with it
	identities
}

func newMemory() *memory {
	return &memory{
		app: map[string]picloud.App{}, scripts: map[string]picloud.Script{}, versions: map[string][]picloud.ScriptVersion{},
		kv: map[string]picloud.KVEntry{}, executions: map[string]picloud.Execution{}, letters: map[string]picloud.DeadLetter{},
		idempotency: map[string]string{}, secrets: map[string]string{"KEY": "value of KEY"},
	}
}

var day = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// write counts a change; the caller holds no lock.
func (m *memory) write() func() {
	m.mu.Lock()
	m.writes++
	return m.mu.Unlock
}

func (m *memory) read() func() {
	m.mu.Lock()
	return m.mu.Unlock
}

// pageOf cuts sorted items to a page whose cursor is the last item's key.
func pageOf[T any](items []T, page picloud.Page, key func(T) string, after func(key, cursor string) bool) picloud.List[T] {
	var out picloud.List[T]
	for _, item := range items {
		if page.Cursor != "" && !after(key(item), page.Cursor) {
			continue
		}
		if len(out.Items) == page.Limit {
			out.Next = key(out.Items[len(out.Items)-1])
			break
		}
		out.Items = append(out.Items, item)
	}
	return out
}

func greater(a, b string) bool { return a > b }
func less(a, b string) bool    { return a < b }

func sortedValues[T any](m map[string]T) []T {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := make([]T, len(keys))
	for i, k := range keys {
		out[i] = m[k]
	}
	return out
}

func (m *memory) CreateApp(_ context.Context, slug, name, _ string) (picloud.App, error) {
	if _, ok := m.app[slug]; ok {
		return picloud.App{}, picloud.Errorf(picloud.Conflict, "app_exists", "taken")
	}
	defer m.write()()
	a := picloud.App{ID: "app-" + slug, Slug: slug, Name: name, CreatedAt: day}
	m.app[slug] = a
	return a, nil
}

func (m *memory) App(_ context.Context, slug string) (picloud.App, error) {
	if m.broken != nil {
		return picloud.App{}, m.broken
	}
	a, ok := m.app[slug]
	if !ok {
		return a, picloud.NotFoundError("app", slug)
	}
	return a, nil
}

func (m *memory) ListApps(_ context.Context, slugs []string, page picloud.Page) (picloud.List[picloud.App], error) {
	items := slices.DeleteFunc(sortedValues(m.app), func(a picloud.App) bool { return slugs != nil && !slices.Contains(slugs, a.Slug) })
	return pageOf(items, page, func(a picloud.App) string { return a.Slug }, greater), nil
}

func (m *memory) SetFetchAllow(_ context.Context, slug string, entries []string) (picloud.App, error) {
	defer m.write()()
	a := m.app[slug]
	a.FetchAllow = entries
	m.app[slug] = a
	return a, nil
}

func (m *memory) PauseApp(_ context.Context, slug, principal string) (picloud.App, error) {
	defer m.write()()
	a, at := m.app[slug], day
	a.PausedAt, a.PausedBy = &at, &principal
	m.app[slug] = a
	return a, nil
}

func (m *memory) ResumeApp(_ context.Context, slug string) (picloud.App, error) {
	defer m.write()()
	a := m.app[slug]
	a.PausedAt, a.PausedBy = nil, nil
	m.app[slug] = a
	return a, nil
}

func (m *memory) DeleteApp(_ context.Context, slug string) error {
	defer m.write()()
	delete(m.app, slug)
	return nil
}

func (m *memory) Compile(_ context.Context, _ string, _ picloud.Language, source string) (picloud.Program, error) {
	m.compiled++
	if line, _, ok := strings.Cut(source, "SYNTAX"); ok {
		e := picloud.InvalidFields(picloud.FieldError{Field: "source", Message: "unexpected", Line: strings.Count(line, "\n") + 1, Column: 3})
		e.Code = "compile_error"
		return picloud.Program{}, e
	}
	return picloud.Program{SHA256: "p", Code: []byte(source)}, nil
}

func (m *memory) PutScript(_ context.Context, appID string, v picloud.ScriptVersion, activate bool) (picloud.Script, picloud.ScriptVersion, bool, error) {
	defer m.write()()
	s, ok := m.scripts[v.Script]
	if !ok {
		s = picloud.Script{ID: "script-" + v.Script, AppID: appID, Name: v.Script, CreatedAt: day, UpdatedAt: day}
	}
	created := true
	for _, have := range m.versions[v.Script] {
		if have.SHA256 == v.SHA256 {
			v, created = have, false
		}
	}
	if created {
		v.Version, v.CreatedAt = len(m.versions[v.Script])+1, day
		m.versions[v.Script] = append(m.versions[v.Script], v)
	}
	if activate || s.ActiveVersion == 0 {
		s.ActiveVersion = v.Version
	}
	m.scripts[v.Script] = s
	return s, v, created, nil
}

func (m *memory) FindVersion(_ context.Context, _, script, sha256 string) (picloud.ScriptVersion, bool, error) {
	for _, v := range m.versions[script] {
		if v.SHA256 == sha256 {
			return v, true, nil
		}
	}
	return picloud.ScriptVersion{}, false, nil
}

func (m *memory) Script(_ context.Context, _, name string) (picloud.Script, error) {
	s, ok := m.scripts[name]
	if !ok {
		return s, picloud.NotFoundError("script", name)
	}
	return s, nil
}

func (m *memory) ListScripts(_ context.Context, _ string, page picloud.Page) (picloud.List[picloud.Script], error) {
	return pageOf(sortedValues(m.scripts), page, func(s picloud.Script) string { return s.Name }, greater), nil
}

func (m *memory) Version(_ context.Context, _, script string, version int) (picloud.ScriptVersion, error) {
	if version == 0 {
		version = m.scripts[script].ActiveVersion
	}
	if version > len(m.versions[script]) {
		return picloud.ScriptVersion{}, picloud.NotFoundError("version", fmt.Sprint(version))
	}
	return m.versions[script][version-1], nil
}

func (m *memory) ListVersions(_ context.Context, _, script string, _ picloud.Page) (picloud.List[picloud.ScriptVersion], error) {
	items := slices.Clone(m.versions[script])
	slices.Reverse(items)
	return picloud.List[picloud.ScriptVersion]{Items: items}, nil
}

func (m *memory) Activate(ctx context.Context, appID, script string, version int) (picloud.Script, error) {
	if _, err := m.Version(ctx, appID, script, version); err != nil {
		return picloud.Script{}, err
	}
	defer m.write()()
	s := m.scripts[script]
	s.ActiveVersion = version
	m.scripts[script] = s
	return s, nil
}

func (m *memory) DeleteScript(_ context.Context, _, name string) error {
	if slices.ContainsFunc(m.triggers, func(t picloud.Trigger) bool { return t.Script == name }) {
		return picloud.Errorf(picloud.Conflict, "script_in_use", "a trigger names it")
	}
	defer m.write()()
	delete(m.scripts, name)
	return nil
}

func (m *memory) CreateTrigger(_ context.Context, t picloud.Trigger) (picloud.Trigger, error) {
	if _, ok := m.scripts[t.Script]; !ok {
		return t, picloud.InvalidField("script", "there is none")
	}
	if slices.ContainsFunc(m.triggers, func(have picloud.Trigger) bool { return have.Name == t.Name }) {
		return t, picloud.Errorf(picloud.Conflict, "trigger_exists", "taken")
	}
	defer m.write()()
	t.ID, t.CreatedAt, t.UpdatedAt = testID(900+len(m.triggers)), day, day
	m.triggers = append(m.triggers, t)
	return t, nil
}

func (m *memory) at(id string) int {
	return slices.IndexFunc(m.triggers, func(t picloud.Trigger) bool { return t.ID == id })
}

func (m *memory) Trigger(_ context.Context, _, id string) (picloud.Trigger, error) {
	if i := m.at(id); i >= 0 {
		return m.triggers[i], nil
	}
	return picloud.Trigger{}, picloud.NotFoundError("trigger", id)
}

func (m *memory) ListTriggers(_ context.Context, _ string, f picloud.TriggerFilter, page picloud.Page) (picloud.List[picloud.Trigger], error) {
	items := slices.DeleteFunc(slices.Clone(m.triggers), func(t picloud.Trigger) bool {
		return (f.Kind != "" && t.Kind != f.Kind) || (f.Script != "" && t.Script != f.Script)
	})
	return pageOf(items, page, func(t picloud.Trigger) string { return t.ID }, greater), nil
}

func (m *memory) UpdateTrigger(_ context.Context, t picloud.Trigger) (picloud.Trigger, error) {
	defer m.write()()
	m.triggers[m.at(t.ID)] = t
	return t, nil
}

func (m *memory) DeleteTrigger(_ context.Context, _, id string) error {
	defer m.write()()
	m.triggers = slices.Delete(m.triggers, m.at(id), m.at(id)+1)
	return nil
}

func (m *memory) KVGet(_ context.Context, _, collection, key string) (picloud.KVEntry, error) {
	return m.kv[collection+"/"+key], nil
}

func (m *memory) KVList(_ context.Context, _, collection, prefix string, page picloud.Page) (picloud.List[picloud.KVEntry], error) {
	items := slices.DeleteFunc(sortedValues(m.kv), func(e picloud.KVEntry) bool {
		return e.Collection != collection || !strings.HasPrefix(e.Key, prefix)
	})
	return pageOf(items, page, func(e picloud.KVEntry) string { return e.Key }, greater), nil
}

func (m *memory) KVPut(
	_ context.Context, _ picloud.App, collection, key string, value json.RawMessage, pre picloud.Precondition, from picloud.Origin,
) (picloud.KVEntry, []string, error) {
	have := m.kv[collection+"/"+key]
	if (pre.IfAbsent && have.Version != 0) || (pre.IfVersion != nil && have.Version != *pre.IfVersion) {
		return have, nil, picloud.Errorf(picloud.PreconditionFailed, "precondition_failed", "it is at %d", have.Version)
	}
	defer m.write()()
	m.sequence++
	m.origins = append(m.origins, from)
	e := picloud.KVEntry{Collection: collection, Key: key, Value: value, Version: m.sequence, UpdatedAt: day}
	m.kv[collection+"/"+key] = e
	return e, []string{testID(77)}, nil
}

func (m *memory) KVDelete(_ context.Context, _ picloud.App, collection, key string, pre picloud.Precondition, from picloud.Origin) ([]string, error) {
	have := m.kv[collection+"/"+key]
	if have.Version == 0 {
		return nil, picloud.NotFoundError("key", key)
	}
	if pre.IfVersion != nil && have.Version != *pre.IfVersion {
		return nil, picloud.Errorf(picloud.PreconditionFailed, "precondition_failed", "it is at %d", have.Version)
	}
	defer m.write()()
	m.origins = append(m.origins, from)
	delete(m.kv, collection+"/"+key)
	return nil, nil
}

func (m *memory) Execution(_ context.Context, _, id string) (picloud.Execution, error) {
	defer m.read()()
	x, ok := m.executions[id]
	if !ok {
		return x, picloud.NotFoundError("execution", id)
	}
	return x, nil
}

func (m *memory) Progress(_ context.Context, x picloud.Execution) (picloud.Execution, error) {
	defer m.read()()
	if stored, ok := m.executions[x.ID]; ok && x.Event == nil {
		x.Event = stored.Event
	}
	return x, nil
}

func (m *memory) CancelQueued(_ context.Context, _, id string) (picloud.Execution, error) {
	defer m.write()()
	x, ok := m.executions[id]
	if !ok || x.Status != picloud.StatusQueued {
		return x, picloud.NotFoundError("execution", id)
	}
	x.Status = picloud.StatusCanceled
	m.executions[id] = x
	return x, nil
}

func (m *memory) CancelQueuedMany(_ context.Context, _ string, f picloud.ExecutionFilter, limit int) (int, error) {
	defer m.write()()
	n := 0
	for id, x := range m.executions {
		if x.Status == picloud.StatusQueued && (f.Script == "" || f.Script == x.Script) && n < limit {
			x.Status = picloud.StatusCanceled
			m.executions[id] = x
			n++
		}
	}
	return n, nil
}

func (m *memory) Chain(_ context.Context, _, rootID string, limit int) (picloud.Chain, error) {
	defer m.read()()
	var c picloud.Chain
	for _, x := range sortedValues(m.executions) {
		if x.RootID == rootID {
			c.Links = append(c.Links, picloud.Link{Execution: x, What: "kv orders/42"})
		}
	}
	if len(c.Links) > limit {
		c.Links, c.More = c.Links[:limit], true
	}
	return c, nil
}

func (m *memory) Whats(_ context.Context, _ string, ids []string) (map[string]string, error) {
	whats := map[string]string{}
	for _, id := range ids {
		whats[id] = "queue totals"
	}
	return whats, nil
}

func (m *memory) ListExecutions(_ context.Context, _ string, f picloud.ExecutionFilter, page picloud.Page) (picloud.List[picloud.Execution], error) {
	items := slices.DeleteFunc(sortedValues(m.executions), func(x picloud.Execution) bool { return f.Status != "" && x.Status != f.Status })
	slices.Reverse(items)
	return pageOf(items, page, func(x picloud.Execution) string { return x.ID }, less), nil
}

func (m *memory) CountAbandoned(context.Context, string) (int64, error) {
	return int64(len(m.abandoned)), nil
}

func (m *memory) Received(context.Context, string) error { return nil }

func (m *memory) ListAbandoned(context.Context, string, picloud.Page) (picloud.List[picloud.AbandonedExecution], error) {
	return picloud.List[picloud.AbandonedExecution]{Items: m.abandoned}, nil
}

func (m *memory) DeadLetter(_ context.Context, _, id string) (picloud.DeadLetter, error) {
	d, ok := m.letters[id]
	if !ok {
		return d, picloud.NotFoundError("dead_letter", id)
	}
	return d, nil
}

func (m *memory) ListDeadLetters(_ context.Context, _ string, f picloud.DeadLetterFilter, page picloud.Page) (picloud.List[picloud.DeadLetter], error) {
	items := slices.DeleteFunc(sortedValues(m.letters), func(d picloud.DeadLetter) bool {
		return f.Resolution != nil && d.Resolution != *f.Resolution
	})
	slices.Reverse(items)
	return pageOf(items, page, func(d picloud.DeadLetter) string { return d.ID }, less), nil
}

func (m *memory) GroupDeadLetters(_ context.Context, _ string, f picloud.DeadLetterFilter, limit int) ([]picloud.DeadLetterGroup, bool, error) {
	list, err := m.ListDeadLetters(context.Background(), "", f, picloud.Page{Limit: limit})
	groups := make([]picloud.DeadLetterGroup, len(list.Items))
	for i, d := range list.Items {
		groups[i] = picloud.DeadLetterGroup{Fingerprint: d.Fingerprint, Count: 1, FirstSeen: d.CreatedAt, LastSeen: d.CreatedAt, Sample: d}
	}
	return groups, list.Next != "", err
}

func (m *memory) CountUnresolved(context.Context, string) (int64, error) { return 1, nil }

func (m *memory) LetterTape(_ context.Context, _, id string) (picloud.LetterTape, error) {
	if id == idResolved {
		return picloud.LetterTape{}, picloud.Errorf(picloud.NotFound, "tape_not_found", "none")
	}
	return picloud.LetterTape{Attempt: 3, Clock: day, Seed: 1 << 62, Tape: picloud.Tape{
		Secrets: []string{"token"}, Calls: []picloud.TapeCall{{What: "kv.get orders/42", At: 7, Order: 1, Answer: json.RawMessage(`{"f":true}`), Body: "1"}},
	}}, nil
}

func (m *memory) CountDropped(context.Context, string) (int64, error) { return 7, nil }

func (m *memory) ReplayDeadLetter(_ context.Context, _, id string, r picloud.Replay) (string, error) {
	d := m.letters[id]
	if d.Resolution != picloud.Unresolved && !r.Again {
		return "", picloud.Errorf(picloud.Conflict, "already_resolved", "it is")
	}
	defer m.write()()
	d.Resolution, d.ResolvedAt, d.ResolvedBy, d.ReplayExecutionID = picloud.Replayed, day, r.Principal, testID(55)
	m.letters[id] = d
	return testID(55), nil
}

func (m *memory) IgnoreDeadLetter(_ context.Context, _, id, note, principal string) (picloud.DeadLetter, error) {
	d := m.letters[id]
	if d.Resolution != picloud.Unresolved {
		return d, picloud.Errorf(picloud.Conflict, "already_resolved", "it is")
	}
	defer m.write()()
	d.Resolution, d.ResolvedAt, d.ResolvedBy, d.Note = picloud.Ignored, day, principal, note
	m.letters[id] = d
	return d, nil
}

func (m *memory) Enqueue(_ context.Context, f picloud.Firing, e picloud.Event) error {
	defer m.write()()
	m.enqueued, m.events = append(m.enqueued, f), append(m.events, e)
	return nil
}

func (m *memory) Publish(_ context.Context, _ picloud.App, topic string, data json.RawMessage, from picloud.Origin) (picloud.Published, error) {
	defer m.write()()
	m.origins, m.published = append(m.origins, from), append(m.published, picloud.Effect{Type: picloud.EffectTopicPublish, Topic: topic, Value: data})
	return picloud.Published{EventID: testID(78), Executions: []string{testID(77)}}, nil
}

func (m *memory) KeepEvent(_ context.Context, _ string, e picloud.Event) error {
	defer m.write()()
	m.kept = append(m.kept, e)
	return nil
}

func (m *memory) Send(_ context.Context, _ picloud.App, msg picloud.QueueMessage, from picloud.Origin) (picloud.Published, error) {
	if msg.Queue == "none" {
		return picloud.Published{}, picloud.Errorf(picloud.NotFound, "queue_not_found", "none")
	}
	defer m.write()()
	m.origins = append(m.origins, from)
	m.published = append(m.published, picloud.Effect{Type: picloud.EffectQueueSend, Queue: msg.Queue, Value: msg.Data, Delay: msg.Delay, Priority: msg.Priority, OrderingKey: msg.OrderingKey})
	return picloud.Published{EventID: testID(78), Executions: []string{testID(77)}}, nil
}

func (m *memory) ListQueues(_ context.Context, _ string, page picloud.Page) (picloud.List[picloud.QueueState], error) {
	age := 1500 * time.Millisecond
	return pageOf([]picloud.QueueState{
		{Queue: "mail", Triggers: []string{"mailer"}, Messages: 3, Delayed: 1, Running: 2, Oldest: &age}, {Queue: "rows", Triggers: []string{"load", "count"}},
	}, page, func(q picloud.QueueState) string { return q.Queue }, greater), nil
}

func (m *memory) SyncSchedule(_ context.Context, id string) error {
	m.synced = append(m.synced, id)
	return m.unscheduled
}

func (m *memory) ScheduleState(context.Context, string) (picloud.ScheduleState, error) {
	return picloud.ScheduleState{
		Next: []time.Time{day, day.Add(time.Hour)}, Last: []picloud.TickTime{{ScheduledAt: day.Add(-time.Hour), At: day.Add(-time.Hour + time.Second)}}, Missed: 3, Skipped: 4,
	}, m.unscheduled
}

func (m *memory) Backfill(_ context.Context, id string, b picloud.Backfill) error {
	m.synced = append(m.synced, id+" "+b.From.Format(time.RFC3339)+" "+b.To.Format(time.RFC3339)+" "+strconv.FormatBool(b.AtOnce))
	return m.unscheduled
}

func (m *memory) Endpoint(ctx context.Context, app, script string) (picloud.Endpoint, error) {
	a, err := m.App(ctx, app)
	if err != nil {
		return picloud.Endpoint{}, err
	}
	s, err := m.Script(ctx, a.ID, script)
	if err != nil {
		return picloud.Endpoint{}, err
	}
	v := m.versions[script][s.ActiveVersion-1]
	triggers := slices.DeleteFunc(slices.Clone(m.triggers), func(t picloud.Trigger) bool { return t.HTTP == nil || !t.Enabled || t.Script != script })
	return picloud.Endpoint{App: a, ScriptID: s.ID, Script: script, Version: s.ActiveVersion, Limits: v.Limits, Triggers: triggers, Secrets: m.secrets}, nil
}

func (m *memory) Rebind(_ context.Context, _, key, before, after string) (bool, error) {
	defer m.read()()
	if m.idempotency[key] != before {
		return false, nil
	}
	m.idempotency[key] = after
	return true, nil
}

func (m *memory) Attach(_ context.Context, _, key, id string) (string, bool, error) {
	defer m.read()()
	if first, ok := m.idempotency[key]; ok {
		return first, true, nil
	}
	m.idempotency[key] = id
	return id, false, nil
}
