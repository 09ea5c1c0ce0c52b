package temporalserver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/sirupsen/logrus"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// noise are beginnings of warnings and errors that say nothing to the operator of one node: they come with every start
// or stop, or tell of a default that is meant.
var noise = []string{
	"Not using any authorizer",
	"HTTP API port has not been set",
	"GetHistory page size is larger", // the UI asks for as much as it may get
	"network dial error",             // gRPC tries again, and a service that stays away is reported by its callers
}

// noisyFields are tags that only help those who work on Temporal itself.
var noisyFields = map[string]bool{
	"logging-call-at": true, "wf-namespace-id": true, "address": true, "shard-rangeID": true, "cluster-name": true,
}

// logger hands Temporal's warnings and errors to logrus. Information and debugging are dropped: Temporal writes a
// page of them at every start.
type logger struct {
	out  logrus.FieldLogger
	tags []tag.Tag
	// muted drops everything but what is fatal. The services stop one after the other, and each complains of the last.
	muted *atomic.Bool
}

var (
	_ log.Logger     = (*logger)(nil)
	_ log.WithLogger = (*logger)(nil)
)

func newLogger(out logrus.FieldLogger) *logger {
	return &logger{out: out.WithField("component", "temporal"), muted: new(atomic.Bool)}
}

// With is a logger that adds tags to every entry.
func (l *logger) With(tags ...tag.Tag) log.Logger {
	return &logger{out: l.out, tags: append(l.tags[:len(l.tags):len(l.tags)], tags...), muted: l.muted}
}

// mute is for the time from the beginning of a stop.
func (l *logger) mute() { l.muted.Store(true) }

func (l *logger) Debug(string, ...tag.Tag) {}
func (l *logger) Info(string, ...tag.Tag)  {}

func (l *logger) Warn(msg string, tags ...tag.Tag) {
	if entry := l.entry(msg, tags); entry != nil {
		entry.Warn(msg)
	}
}

func (l *logger) Error(msg string, tags ...tag.Tag) {
	if entry := l.entry(msg, tags); entry != nil {
		entry.Error(msg)
	}
}

// DPanic is an error outside development, as in zap.
func (l *logger) DPanic(msg string, tags ...tag.Tag) { l.Error(msg, tags...) }

func (l *logger) Panic(msg string, tags ...tag.Tag) {
	l.Error(msg, tags...)
	panic("temporal: " + msg)
}

// Fatal ends the process: Temporal calls it when it can not go on, and does not expect it to return.
func (l *logger) Fatal(msg string, tags ...tag.Tag) {
	l.out.WithFields(fields(l.tags, tags)).Fatal(msg)
}

// entry is what to log msg with; nil for noise, and for what only tells of a call that its caller gave up.
func (l *logger) entry(msg string, tags []tag.Tag) logrus.FieldLogger {
	if l.muted.Load() || slices.ContainsFunc(noise, func(beginning string) bool { return strings.HasPrefix(msg, beginning) }) {
		return nil
	}
	for _, t := range tags {
		said := fmt.Sprint(t.Value())
		if t.Key() == "error" && strings.HasSuffix(said, context.Canceled.Error()) {
			return nil
		}
		if t.Key() == "Error" && strings.HasPrefix(said, "Namespace ") && strings.HasSuffix(said, " is not found.") {
			return nil // Temporal's own workers look for the namespace before the first start has registered it, and try again
		}
	}
	return l.out.WithFields(fields(l.tags, tags))
}

func fields(groups ...[]tag.Tag) logrus.Fields {
	f := logrus.Fields{}
	for _, tags := range groups {
		for _, t := range tags {
			if !noisyFields[t.Key()] {
				f[t.Key()] = t.Value()
			}
		}
	}
	return f
}

// sdk is the same logger for a client of Temporal's SDK.
func (l *logger) sdk() sdklog.Logger { return sdkLogger{l.out} }

type sdkLogger struct{ out logrus.FieldLogger }

func (s sdkLogger) Debug(string, ...any)             {}
func (s sdkLogger) Info(string, ...any)              {}
func (s sdkLogger) Warn(msg string, keyvals ...any)  { s.out.WithFields(pairs(keyvals)).Warn(msg) }
func (s sdkLogger) Error(msg string, keyvals ...any) { s.out.WithFields(pairs(keyvals)).Error(msg) }

func pairs(keyvals []any) logrus.Fields {
	f := logrus.Fields{}
	for i := 0; i+1 < len(keyvals); i += 2 {
		f[fmt.Sprint(keyvals[i])] = keyvals[i+1]
	}
	return f
}
