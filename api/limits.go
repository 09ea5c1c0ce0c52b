package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// GetLimits implements StrictServerInterface.
func (s *server) GetLimits(context.Context, GetLimitsRequestObject) (GetLimitsResponseObject, error) {
	list := RunLimitList{Items: make([]RunLimit, 0, len(picloud.LimitTable))}
	for _, m := range picloud.LimitTable {
		ceiling := m.Get(s.Ceiling)
		item := RunLimit{
			Name: m.Name, Unit: m.Unit, Minimum: limitValue(m, m.Least), Default: limitValue(m, min(m.Get(picloud.DefaultLimits), ceiling)),
			Ceiling: limitValue(m, ceiling), Variable: m.Variable, Description: m.Description,
		}
		if m.ErrorType != "" {
			reason := string(m.Reason)
			item.ErrorType, item.Reason = &m.ErrorType, &reason
		}
		list.Items = append(list.Items, item)
	}
	return GetLimits200JSONResponse(list), nil
}

// limitValue gives a limit's value as JSON has it: a duration string, or a number.
func limitValue(m picloud.Limit, value int64) any {
	if m.Unit == picloud.LimitDuration {
		return formatDuration(time.Duration(value))
	}
	return value
}

// parseLimits reads what a script asks for: what it leaves out is the default, or the ceiling where that is lower.
func parseLimits(asked *Limits, ceiling picloud.Limits) (picloud.Limits, error) {
	fields, err := limitFields(asked)
	if err != nil {
		return picloud.Limits{}, err
	}
	var wrong []picloud.FieldError
	l := picloud.DefaultLimits.Within(ceiling)
	for _, m := range picloud.LimitTable {
		text, given := fields[m.Name]
		if !given {
			continue
		}
		value, err := parseLimit(m, text, m.Get(ceiling))
		if err != nil {
			wrong = append(wrong, picloud.FieldError{Field: "limits." + m.Name, Message: err.Error()})
		}
		m.Set(&l, value)
	}
	if wrong != nil {
		return l, picloud.InvalidFields(wrong...)
	}
	return l, nil
}

// limitFields gives the fields that are set, by the names of picloud.LimitTable.
func limitFields(l *Limits) (fields map[string]json.RawMessage, err error) {
	text, err := json.Marshal(l)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		return nil, fmt.Errorf("read limits: %w", err)
	}
	return fields, nil
}

// parseLimit reads one value and checks its bounds. Its errors are for users.
func parseLimit(m picloud.Limit, text json.RawMessage, most int64) (value int64, err error) {
	if m.Unit == picloud.LimitDuration {
		var s string
		if err := json.Unmarshal(text, &s); err != nil {
			return 0, errors.New("must be a duration")
		}
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, fmt.Errorf(`%q is no duration: use e.g. "500ms", "10s" or "5m"`, s[:min(len(s), 50)])
		}
		if int64(d) < m.Least || int64(d) > most {
			return 0, fmt.Errorf("must be %q to this instance's ceiling, %q", formatDuration(time.Duration(m.Least)), formatDuration(time.Duration(most)))
		}
		return int64(d), nil
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return 0, errors.New("must be an integer")
	}
	if value < m.Least || value > most {
		return 0, fmt.Errorf("must be %d to this instance's ceiling, %d", m.Least, most)
	}
	return value, nil
}

// toLimits gives limits as the API writes them; versions of before a limit was known have its default.
func toLimits(l picloud.Limits) Limits {
	l = l.Or(picloud.DefaultLimits)
	wall, cpu := formatDuration(l.Wall), formatDuration(l.CPU)
	return Limits{
		Wall: &wall, CPU: &cpu, MemoryMb: &l.MemoryMB, CallDepth: &l.CallDepth, PayloadBytes: &l.PayloadBytes, LogBytes: &l.LogBytes,
		HostCalls: &l.HostCalls, Fetches: &l.Fetches, Effects: &l.Effects,
	}
}
