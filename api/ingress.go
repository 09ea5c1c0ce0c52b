package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/filter"
	"github.com/picloud/picloud/internal/picloud"
)

// endpoint finds a script by its address. What is no name names none.
func (s *server) endpoint(ctx context.Context, app, script string) (picloud.Endpoint, error) {
	if picloud.CheckName("app", app) != nil {
		return picloud.Endpoint{}, missing("app", app)
	}
	if picloud.CheckName("script", script) != nil {
		if _, err := s.app(ctx, app); err != nil {
			return picloud.Endpoint{}, err
		}
		return picloud.Endpoint{}, missing("script", script)
	}
	return s.Endpoints.Endpoint(ctx, app, script)
}

// call is one request at a script's endpoint.
type call struct {
	endpoint picloud.Endpoint
	firing   picloud.Firing
	event    picloud.Event
	async    bool
	wait     time.Duration
}

// ingress serves /run/{app}/{script}[/*path].
func (s *server) ingress(c *gin.Context) {
	x, err := s.newCall(c)
	if errors.Is(err, errRefused) { // as good as done: a sender of webhooks would take an error for a reason to come again
		c.Status(http.StatusNoContent)
		return
	}
	if d, ok := errors.AsType[denial](err); ok {
		s.refuse(c, d)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	repeated, err := s.attach(c, &x)
	switch {
	case err != nil:
		s.fail(c, err)
	case x.async:
		s.ingressAsync(c, x, repeated)
	default:
		s.ingressSync(c, x, repeated)
	}
}

// newCall reads a request and makes its firing.
func (s *server) newCall(c *gin.Context) (call, error) {
	r := c.Request
	endpoint, err := s.endpoint(r.Context(), c.Param("app"), c.Param("script"))
	if err == nil || picloud.AsError(err) != nil { // whoever may not call does not learn what is there
		trigger := matchHTTP(endpoint.Triggers, r.Method, pathOf(c))
		if err := authorizeIngress(r.Context(), c.Param("app"), trigger); err != nil {
			return call{}, err
		}
	}
	if err != nil {
		return call{}, err
	}
	if err := endpoint.App.CheckStarts(); err != nil {
		return call{}, err
	}
	path, err := cleanPath(pathOf(c))
	if err != nil {
		return call{}, err
	}
	prefer, err := parsePrefer(r.Header.Values("Prefer"))
	if err != nil {
		return call{}, err
	}
	body, err := readBody(http.MaxBytesReader(c.Writer, r.Body, int64(endpoint.Limits.PayloadBytes)))
	if err != nil {
		return call{}, err
	}
	data, err := requestData(r, path, body)
	if err != nil {
		return call{}, err
	}
	if err := checkSize(data, endpoint.Limits.MaxEventBytes()); err != nil {
		return call{}, err
	}
	event := newEvent(r.Context(), "/apps/"+endpoint.App.Slug+"/http/"+endpoint.Script, path, data)
	event.Type = picloud.TypeHTTPRequest
	trigger := matchHTTP(endpoint.Triggers, r.Method, path)
	if err := sift(trigger, event); err != nil {
		return call{}, err
	}
	f := s.newFiring(endpoint, trigger, event, auth.PrincipalFrom(r.Context()).Name)
	f.What = "http " + r.Method + " " + path[:min(len(path), 100)]
	f.What = strings.ToValidUTF8(f.What, "")

	x := call{endpoint: endpoint, firing: f, event: event, async: prefer.async, wait: endpoint.Limits.Wall + runGrace}
	if trigger != nil && trigger.HTTP.Mode == picloud.HTTPAsync {
		x.async = true
	}
	switch {
	case prefer.async:
		c.Header("Preference-Applied", "respond-async")
	case prefer.wait != nil && !x.async:
		x.wait = min(*prefer.wait, x.wait)
		c.Header("Preference-Applied", "wait="+strconv.Itoa(int(prefer.wait.Seconds())))
	}
	return x, nil
}

// pathOf gives the path below the endpoint.
func pathOf(c *gin.Context) string {
	if path := c.Param("path"); path != "" {
		return path
	}
	return "/"
}

// authorizeIngress says whether the caller may invoke the app's scripts. A trigger that asks for no key lets everybody in.
func authorizeIngress(ctx context.Context, app string, trigger *picloud.Trigger) error {
	if trigger != nil && trigger.HTTP.Auth != picloud.HTTPAuthKey {
		return nil
	}
	caller, known := auth.CallerFrom(ctx)
	if !known {
		return denial{auth.ErrNoKey()}
	}
	if err := authorize(caller, picloud.ScriptInvoke, app); err != nil {
		return denial{err}
	}
	return nil
}

// matchHTTP gives the first trigger, in the order of their making, that covers the request; nil if none does.
func matchHTTP(triggers []picloud.Trigger, method, path string) *picloud.Trigger {
	for i, t := range triggers {
		if t.HTTP != nil && t.Enabled && (len(t.HTTP.Methods) == 0 || slices.Contains(t.HTTP.Methods, method)) &&
			(t.HTTP.Path == "" || picloud.Glob(t.HTTP.Path).Match(path)) {
			return &triggers[i]
		}
	}
	return nil
}

// errRefused says that the filter of the trigger that covers a request lets it not fire.
var errRefused = errors.New("the trigger's filter refuses the request")

// sift asks the filter of the trigger that covers a request, if any: errRefused, or Invalid "filter_error" where it has no value for the request. The caller hears of that,
// and nothing is stored.
func sift(t *picloud.Trigger, event picloud.Event) error {
	if t == nil || t.Filter == "" {
		return nil
	}
	f, err := filter.Compile("filter", t.Filter)
	if err != nil {
		return err
	}
	matches, err := f.Match(filter.Of(event))
	if err != nil {
		return picloud.Errorf(picloud.Invalid, "filter_error", "the filter of the trigger %s has no value for this request: %s", t.Name, err)
	}
	if !matches {
		return errRefused
	}
	return nil
}

// preference is what the header Prefer asks for (RFC 7240). What is not known is ignored, as the RFC has it.
type preference struct {
	async bool
	wait  *time.Duration
}

func parsePrefer(values []string) (preference, error) {
	var p preference
	for word := range strings.SplitSeq(strings.Join(values, ","), ",") {
		word, _, _ = strings.Cut(word, ";")
		name, value, _ := strings.Cut(word, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "respond-async":
			p.async = true
		case "wait":
			seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
			if err != nil {
				return p, picloud.InvalidField("Prefer", "wait must be a whole number of seconds")
			}
			wait := time.Duration(seconds) * time.Second
			p.wait = &wait
		}
	}
	return p, nil
}

// ingressAsync queues the call and answers 202 when that is durable.
func (s *server) ingressAsync(c *gin.Context, x call, repeated bool) {
	f := x.firing
	if !repeated {
		if err := s.Outbox.Enqueue(c.Request.Context(), f, x.event); err != nil {
			s.fail(c, err)
			return
		}
	}
	c.Header("Location", executionPath(f.App, f.ExecutionID))
	c.Header(executionHeader, f.ExecutionID)
	c.JSON(http.StatusAccepted, Accepted{ID: f.ExecutionID, Status: AcceptedStatusQueued})
}

// ingressSync runs the call and answers with its end.
func (s *server) ingressSync(c *gin.Context, x call, repeated bool) {
	ctx, id := c.Request.Context(), x.firing.ExecutionID
	var end picloud.Committed
	var err error
	if repeated {
		end, err = s.endOf(ctx, x)
	} else {
		end, err = s.runSync(ctx, x.firing, x.event, x.wait)
	}
	if err == nil || errors.Is(err, errWaitExpired) || errors.Is(err, errLost) {
		c.Header(executionHeader, id)
	}
	switch {
	case err == nil:
		s.answer(c, id, end)
	case errors.Is(err, errWaitExpired):
		c.Header("Location", executionPath(x.firing.App, id))
		s.write(c, http.StatusGatewayTimeout, problem{
			Code: "wait_expired", ExecutionID: id, Detail: "the script is not done in time; it runs on: see the execution",
		})
	case errors.Is(err, errLost):
		s.write(c, http.StatusInternalServerError, problem{
			Code: "execution_lost", ExecutionID: id, Detail: "the execution was ended from outside, without a result",
		})
	default:
		s.fail(c, err)
	}
}

// endOf waits for the end of an execution that an earlier request with the same Idempotency-Key started.
func (s *server) endOf(ctx context.Context, x call) (picloud.Committed, error) {
	found, err := s.waitExecution(ctx, x.endpoint.App, x.firing.ExecutionID, x.wait)
	switch {
	case err != nil:
		return picloud.Committed{}, err
	case !found.Status.Final():
		return picloud.Committed{}, errWaitExpired
	default:
		return committed(found), nil
	}
}

// maxIdempotencyKey is the longest Idempotency-Key, in bytes.
const maxIdempotencyKey = 255

// checkIdempotencyKey checks the header's values.
func checkIdempotencyKey(values []string) error {
	if key := values[0]; len(values) > 1 || key == "" || len(key) > maxIdempotencyKey || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return picloud.InvalidField("Idempotency-Key", "must be given once, with 1 to %d printable ASCII characters", maxIdempotencyKey)
	}
	return nil
}

// attachGrace is how long a repeated request looks for the first one's execution, which may be about to start.
const attachGrace = time.Second

// attach honours Idempotency-Key: the first request with a key has its execution bound to it. A later one takes that execution's id, and repeated
// says that it is there. When it is not (the first request broke off before its start), this request starts it, under the same id.
func (s *server) attach(c *gin.Context, x *call) (repeated bool, err error) {
	values := c.Request.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return false, nil
	}
	if err := checkIdempotencyKey(values); err != nil {
		return false, err
	}
	key := values[0]
	ctx := c.Request.Context()
	first, attached, err := s.Idempotency.Attach(ctx, x.firing.AppID, x.firing.ScriptID+":"+key, x.firing.ExecutionID)
	if err != nil || !attached {
		return false, err
	}
	x.firing.ExecutionID = first
	deadline := time.NewTimer(attachGrace)
	defer deadline.Stop()
	for {
		_, err := s.findExecution(ctx, x.endpoint.App, first)
		if err == nil {
			return true, nil
		}
		if !isNoExecution(err) {
			return false, err
		}
		select {
		case <-deadline.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(firstLook):
		}
	}
}
