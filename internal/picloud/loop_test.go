package picloud_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

func TestDescribeNamesTheCircle(t *testing.T) {
	t.Parallel()
	step := func(trigger, what string) picloud.Step { return picloud.Step{Trigger: trigger, What: what} }
	circle := func(n int) []picloud.Step {
		var path []picloud.Step
		for i := range n {
			path = append(path, [2]picloud.Step{step("on-order", "queue totals"), step("recount", "kv orders/42")}[i%2])
		}
		return path
	}
	for name, c := range map[string]struct {
		path []picloud.Step
		want string
	}{
		"nothing":      {nil, ""},
		"two":          {circle(17), "on-order → kv orders/42 → recount → queue totals → on-order (16 turns)"},
		"one":          {[]picloud.Step{step("count", "kv c/a"), step("count", "kv c/b")}, "count → kv c/b → count (1 turn)"},
		"a way in":     {append([]picloud.Step{step("intake", "http intake")}, circle(5)...), "on-order → kv orders/42 → recount → queue totals → on-order (4 turns)"},
		"no circle":    {[]picloud.Step{step("a", "http a"), step("b", "kv x/1"), step("c", "pubsub t")}, "a → kv x/1 → b → pubsub t → c"},
		"what is gone": {[]picloud.Step{step("a", ""), step("b", ""), step("a", "")}, "a → b → a (2 turns)"},
	} {
		assert.Equal(t, c.want, picloud.Describe(c.path), name)
	}
	long := picloud.Describe([]picloud.Step{step("a", ""), step("a", "kv c/"+strings.Repeat("ä", 500))})
	assert.Less(t, len(long), 200)
}

func TestStepOf(t *testing.T) {
	t.Parallel()
	assert.Equal(t, picloud.Step{Trigger: "t", What: "kv orders/a/b"}, picloud.StepOf("t", "s", "/apps/shop/kv/orders", "a/b"))
	assert.Equal(t, picloud.Step{Trigger: "s", What: "queue totals"}, picloud.StepOf("", "s", "/apps/shop/queue/totals", "totals"))
	assert.Equal(t, picloud.Step{Trigger: "t"}, picloud.StepOf("t", "s", "", ""))
}

func TestWhatIsCut(t *testing.T) {
	t.Parallel()
	for reason, f := range map[picloud.Reason]picloud.Firing{
		"":                           {Depth: 16, MaxDepth: 16},
		picloud.ReasonDepthExceeded:  {Depth: 17, MaxDepth: 16, Denied: true, Overspent: "10 effects"},
		picloud.ReasonCycle:          {Depth: 2, MaxDepth: 16, Denied: true, Overspent: "10 effects"},
		picloud.ReasonBudgetExceeded: {Depth: 2, MaxDepth: 16, Overspent: "10 effects"},
	} {
		e := f.Cut()
		if reason == "" {
			assert.Nil(t, e)
			continue
		}
		require.NotNil(t, e)
		assert.Equal(t, reason, e.Reason)
		assert.Contains(t, e.Message, "cut before it ran")
	}
	b := picloud.Budget{Executions: 5, Effects: 10, CPU: time.Second}
	assert.Empty(t, b.Spent(9, time.Second-1))
	assert.Equal(t, "10 effects (PICLOUD_ROOT_MAX_EFFECTS)", b.Spent(10, time.Hour))
	assert.Equal(t, "1s of CPU time (PICLOUD_ROOT_MAX_CPU)", b.Spent(9, time.Second))
	assert.Empty(t, picloud.Budget{}.Spent(1<<40, 1<<60), "0 is no bound")
}
