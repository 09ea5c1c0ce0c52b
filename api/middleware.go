package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/sirupsen/logrus"

	"github.com/picloud/picloud/internal/picloud"
)

// requestIDHeader carries the id under which the log has a request. A caller may choose it.
const requestIDHeader = "X-Request-ID"

var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

type baseURLKey struct{}

// identify gives the request its id and notes the URL under which the caller knows this server.
func (s *server) identify(c *gin.Context) {
	id := c.GetHeader(requestIDHeader)
	if !requestIDForm.MatchString(id) {
		id = uuid.NewString()
	}
	c.Header(requestIDHeader, id)
	base := s.PublicURL
	if base == "" {
		base = "http://" + c.Request.Host
		if s.secured(c) {
			base = "https://" + c.Request.Host
		}
	}
	ctx := context.WithValue(c.Request.Context(), baseURLKey{}, base)
	ctx = context.WithValue(ctx, traceParentKey{}, traceParent(c.Request.Header))
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// baseURL gives the URL of this server as the caller knows it, without a slash at the end.
func baseURL(ctx context.Context) string {
	base, _ := ctx.Value(baseURLKey{}).(string)
	return base
}

// logAccess logs every request at debug level, without query and headers: they may hold secrets.
func (s *server) logAccess(c *gin.Context) {
	start := time.Now()
	c.Next()
	s.log(c).WithFields(logrus.Fields{
		"method": c.Request.Method, "path": c.Request.URL.Path, "status": c.Writer.Status(), "duration": time.Since(start).String(),
	}).Debug("request served")
}

func (s *server) log(c *gin.Context) logrus.FieldLogger {
	return s.Log.WithField("request_id", c.Writer.Header().Get(requestIDHeader))
}

// recover turns a panic into a logged 500.
func (s *server) recover(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p) // net/http's own way to drop a connection
		}
		s.log(c).WithFields(logrus.Fields{"panic": fmt.Sprint(p), "stack": string(debug.Stack())}).Error("request panicked")
		c.Abort()
		if !c.Writer.Written() {
			s.write(c, http.StatusInternalServerError, problem{Code: "internal", Detail: internalDetail})
		}
	}()
	c.Next()
}

// isAPI says whether an address is for programs: they send a bearer key and get no pages.
func isAPI(path string) bool { return underPrefix(path, "/v1") || underPrefix(path, "/run") }

func underPrefix(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// bodySlack is what the JSON around a payload may take.
const bodySlack = 64 << 10

// limitBody bounds the size of the bodies of /v1. The ingress bounds its own by the script's limit.
func (s *server) limitBody(c *gin.Context) {
	if c.Request.Body == nil || !underPrefix(c.FullPath(), "/v1") {
		c.Next()
		return
	}
	limit := int64(s.Ceiling.PayloadBytes) + bodySlack
	switch {
	case c.FullPath() == "/v1/apps/:app/scripts/:script":
		limit = 6*picloud.MaxSourceBytes + bodySlack // JSON may take six bytes for one
	case c.FullPath() == "/v1/apps/:app/secrets/:secret":
		limit = 6*picloud.MaxSecretValue + bodySlack // as above
	case strings.HasPrefix(c.FullPath(), "/v1/apps/:app/kv/"):
		limit = int64(s.Ceiling.PayloadBytes)
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
	c.Next()
}
