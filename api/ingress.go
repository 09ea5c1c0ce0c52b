package api

import (
	"context"
	"errors"
	"net/http"
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
	attachTo attachTo
	async    bool
	wait     time.Duration
}

// ingress serves /run/{app}/{script}[/*path].
func (s *server) ingress(c *gin.Context) {
	x, err := s.newCall(c)
	if errors.Is(err, errAnswered) {
		return
	}
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
	endpoint, match, path, err := s.letIn(c)
	if err != nil {
		return call{}, err
	}
	if err := endpoint.App.CheckStarts(); err != nil {
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
	trigger := match.Trigger
	attachTo, err := attachment(r.Header, endpoint, trigger, body)
	if err != nil {
		return call{}, err
	}
	data, err := requestData(r, path, match.Params, body)
	if err != nil {
		return call{}, err
	}
	if err := checkSize(data, endpoint.Limits.MaxEventBytes()); err != nil {
		return call{}, err
	}
	event := newEvent(r.Context(), "/apps/"+endpoint.App.Slug+"/http/"+endpoint.Script, path, data)
	event.Type = picloud.TypeHTTPRequest
	if err := sift(trigger, event); err != nil {
		return call{}, err
	}
	f := s.newFiring(endpoint, trigger, event, auth.PrincipalFrom(r.Context()).Name)
	f.What = "http " + r.Method + " " + path[:min(len(path), 100)]
	f.What = strings.ToValidUTF8(f.What, "")

	x := call{endpoint: endpoint, firing: f, event: event, attachTo: attachTo, async: prefer.async, wait: endpoint.Limits.Wall + runGrace}
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
	if err == nil || errors.Is(err, errWaitExpired) || errors.Is(err, errWaitCanceled) || errors.Is(err, errLost) {
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
	case errors.Is(err, errWaitCanceled):
		c.Header("Location", executionPath(x.firing.App, id))
		s.write(c, http.StatusGatewayTimeout, problem{
			Code: "wait_expired", ExecutionID: id, Detail: "the script was not done in time: it is canceled, with no effect (on_disconnect of the trigger " + x.firing.Trigger + " is cancel)",
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
		return found.End(), nil
	}
}
