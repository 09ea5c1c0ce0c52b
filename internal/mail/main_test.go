package mail_test

import (
	"testing"

	"github.com/picloud/picloud/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
