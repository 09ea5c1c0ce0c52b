package engine

import (
	"fmt"

	"github.com/sirupsen/logrus"
	"go.temporal.io/sdk/log"
)

// logger lets the Temporal SDK log by logrus.
type logger struct{ to logrus.FieldLogger }

var (
	_ log.Logger     = logger{}
	_ log.WithLogger = logger{}
)

func (l logger) Debug(msg string, keyvals ...any) { l.to.WithFields(fields(keyvals)).Debug(msg) }
func (l logger) Info(msg string, keyvals ...any)  { l.to.WithFields(fields(keyvals)).Debug(msg) } // the SDK's infos are our debugging
func (l logger) Warn(msg string, keyvals ...any)  { l.to.WithFields(fields(keyvals)).Warn(msg) }
func (l logger) Error(msg string, keyvals ...any) { l.to.WithFields(fields(keyvals)).Error(msg) }

func (l logger) With(keyvals ...any) log.Logger { return logger{l.to.WithFields(fields(keyvals))} }

// fields pairs up keys and values.
func fields(keyvals []any) logrus.Fields {
	f := make(logrus.Fields, len(keyvals)/2+1)
	for i := 0; i+1 < len(keyvals); i += 2 {
		f[fmt.Sprint(keyvals[i])] = keyvals[i+1]
	}
	if len(keyvals)%2 != 0 {
		f["extra"] = keyvals[len(keyvals)-1]
	}
	return f
}
