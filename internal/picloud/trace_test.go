package picloud

import "testing"

func TestTraces(t *testing.T) {
	t.Parallel()
	const event, execution = "019ab2c4-6f10-7abc-8def-0123456789ab", "019ab2c4-6f11-7000-9aaa-bbbbccccdddd"
	first := NewTrace(event)
	for got, want := range map[string]string{
		first:                            "00-019ab2c46f107abc8def0123456789ab-8def0123456789ab-01",
		ExecutionTrace(first, execution): "00-019ab2c46f107abc8def0123456789ab-9aaabbbbccccdddd-01",
		ExecutionTrace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", execution): "00-0af7651916cd43dd8448eb211c80319c-9aaabbbbccccdddd-00",
		ExecutionTrace("", execution): "",
		NewTrace("no id"):             "",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
