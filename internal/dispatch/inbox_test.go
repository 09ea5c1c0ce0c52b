package dispatch_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/picloud/picloud/internal/dispatch"
	"github.com/picloud/picloud/internal/picloud"
)

func TestInbox(t *testing.T) {
	t.Parallel()
	here, there := dispatch.NewInbox("here"), dispatch.NewInbox("there")
	address, delivery, done := here.Open("x")
	defer done()
	end := picloud.Delivery{Status: picloud.StatusSucceeded}
	assert.Equal(t, picloud.DeliveredElsewhere, there.Deliver(address, "x", end))
	assert.Equal(t, picloud.Delivered, here.Deliver(address, "x", end))
	assert.Equal(t, picloud.Delivered, here.Deliver(address, "x", end), "a lost answer is no lost caller")
	assert.Equal(t, end, <-delivery)
	assert.Empty(t, delivery, "one delivery at most")
}

func TestInboxOfACallerWhoIsGone(t *testing.T) {
	t.Parallel()
	inbox := dispatch.NewInbox("here")
	address, delivery, done := inbox.Open("x")
	done()
	done()
	assert.Equal(t, picloud.CallerGone, inbox.Deliver(address, "x", picloud.Delivery{}))
	assert.Empty(t, delivery)
}

func TestInboxForgetsOldDeliveries(t *testing.T) {
	t.Parallel()
	inbox := dispatch.NewInbox("here")
	address, _, _ := inbox.Open("first")
	assert.Equal(t, picloud.Delivered, inbox.Deliver(address, "first", picloud.Delivery{}))
	for i := range 5000 {
		a, _, _ := inbox.Open(strconv.Itoa(i))
		inbox.Deliver(a, strconv.Itoa(i), picloud.Delivery{})
	}
	assert.Equal(t, picloud.CallerGone, inbox.Deliver(address, "first", picloud.Delivery{}))
}
