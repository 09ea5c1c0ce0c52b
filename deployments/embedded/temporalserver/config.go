package temporalserver

import (
	"net"
	"strconv"
	"time"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"

	"github.com/picloud/picloud/workflows"
)

// clusterName is how a lone Temporal cluster calls itself. It is stored in the database: never change it.
const clusterName = "active"

const (
	mainStore       = "postgres"
	visibilityStore = "postgres-visibility"
)

// plenty is a rate limit that is never reached. Temporal's defaults protect a shared cluster from its users; here PiCloud
// limits them itself, and a limit inside the engine would only show as latency.
const plenty = 100_000

// shardWrites is how many writes of a shard may be under way at once.
const shardWrites = 8

// cachedWorkflows is how many workflows the history service keeps in memory, some 10 KB each: more than are in flight at once.
const cachedWorkflows = 4096

// newSettings are the dynamic settings, by Temporal's defaults where they are not named.
func newSettings() *dynamicconfig.MemoryClient {
	settings := dynamicconfig.NewMemoryClient()
	for key, value := range map[dynamicconfig.Key]any{
		// The first workflow task comes back with the start: measured, it doubles the rate.
		dynamicconfig.EnableEagerWorkflowStart.Key():     true,
		dynamicconfig.EnableActivityEagerExecution.Key(): true,

		// One process: a queue in four parts is four pollers' worth of idle queries, and forwarding between them.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,

		// Attempts that go through the task queue take turns by their fairness key, the app.
		dynamicconfig.MatchingEnableFairness.Key(): []dynamicconfig.ConstrainedValue{
			{Constraints: dynamicconfig.Constraints{TaskQueueName: workflows.ScriptsTaskQueue}, Value: true},
		},

		// How far ahead the timers of a shard are read: a shorter timer that is set later waits for the next look. The default of 1 s makes every retry
		// take a second at least.
		dynamicconfig.TimerProcessorMaxTimeShift.Key(): 20 * time.Millisecond,

		// Workflows live for milliseconds; the default keeps 128 000 closed ones in memory, for an hour.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): cachedWorkflows,

		// Writes of a shard that may be under way at once. The default of 1 has a start wait for whatever else its shard writes, other apps' work too.
		dynamicconfig.ShardIOConcurrency.Key(): shardWrites,

		dynamicconfig.FrontendRPS.Key():                                  plenty,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key():           plenty,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): plenty,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                    plenty,
		dynamicconfig.HistoryRPS.Key():                                   plenty,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                     plenty,
		dynamicconfig.MatchingRPS.Key():                                  plenty,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():                    plenty,
		dynamicconfig.WorkerPersistenceMaxQPS.Key():                      plenty,
		dynamicconfig.VisibilityPersistenceMaxReadQPS.Key():              plenty,
		dynamicconfig.VisibilityPersistenceMaxWriteQPS.Key():             plenty,
	} {
		settings.OverrideValue(key, value)
	}
	return settings
}

func newConfig(stores stores, ports addresses, opts Options) *config.Config {
	return &config.Config{
		Global: config.Global{
			Membership: config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: "127.0.0.1"},
		},
		Persistence: config.Persistence{
			DefaultStore:     mainStore,
			VisibilityStore:  visibilityStore,
			NumHistoryShards: opts.Shards,
			DataStores: map[string]config.DataStore{
				mainStore:       {SQL: stores.main},
				visibilityStore: {SQL: stores.visibility},
			},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: ports.frontend},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			"frontend": service(ports.frontend, ports.frontendIP),
			"history":  service(ports.history, "127.0.0.1"),
			"matching": service(ports.matching, "127.0.0.1"),
			"worker":   service(ports.worker, "127.0.0.1"),
		},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
		PublicClient: config.PublicClient{HostPort: ports.frontend},
	}
}

// service listens for gRPC only: no HTTP, no membership ring (the hosts are static).
func service(address, ip string) config.Service {
	_, port, _ := net.SplitHostPort(address) // from a listener: well formed
	number, _ := strconv.Atoi(port)
	return config.Service{RPC: config.RPC{GRPCPort: number, BindOnIP: ip}}
}
