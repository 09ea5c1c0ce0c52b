package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/picloud/picloud/api"
	"github.com/picloud/picloud/internal/metrics"
)

// serveMetrics serves /metrics without a key on a listener of its own, where one is configured.
func (i *instance) serveMetrics(ctx context.Context, counts *metrics.Metrics) error {
	if i.config.MetricsAddr == "" {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", i.config.MetricsAddr)
	if err != nil {
		return fmt.Errorf("listen on PICLOUD_METRICS_ADDR: %w", err)
	}
	routes := http.NewServeMux()
	routes.Handle("GET /metrics", counts.Handler())
	server := api.NewHTTPServer(listener.Addr().String(), routes, api.Patience{})
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			i.fail(fmt.Errorf("serve metrics: %w", err))
		}
	}()
	i.log.WithField("address", listener.Addr().String()).Info("metrics, open to whoever reaches this address")
	i.onStop("metrics", func(context.Context) error { return server.Close() })
	return nil
}
