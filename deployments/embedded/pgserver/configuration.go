package pgserver

import (
	"fmt"
	"os"
	"path/filepath"
)

// hostAuthentication lets in, over loopback TCP and with a password, whoever knows it; and nobody else.
//
//nolint:dupword // all databases, all users
const hostAuthentication = `# Written by PiCloud at every start.
host all all 127.0.0.1/32 scram-sha-256
`

// baseSettings fit a modest server that shares its memory with PiCloud and Temporal. Temporal holds up to some 120
// connections and migrates its schema in transactions that lock many tables.
const baseSettings = `# Written by PiCloud at every start. Put settings of your own into custom.conf, beside this file.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = scram-sha-256
max_connections = 200
max_locks_per_transaction = 256
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 8MB
maintenance_work_mem = 64MB
random_page_cost = 1.1
jit = off
max_parallel_workers_per_gather = 0
checkpoint_timeout = 15min
max_wal_size = 2GB
wal_compression = on
autovacuum_naptime = 20s
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, mdy'
default_text_search_config = 'pg_catalog.simple'
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
log_min_messages = warning
log_min_error_statement = panic
log_checkpoints = off
log_autovacuum_min_duration = -1
log_line_prefix = '%m [%p] %q%u@%d '
`

// durableSettings name what nothing may turn off by accident.
const durableSettings = `
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = replica
`

// unsafeSettings trade the data for speed: for a cluster that lives as long as a test run.
const unsafeSettings = `
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
shared_buffers = 128MB
max_connections = 400
`

// writeConfiguration writes the server's files anew. They lie outside the cluster and belong to us: the account that runs
// the server reads them and cannot change them. No secret is in them.
func (c cluster) writeConfiguration() error {
	settings := baseSettings
	if c.unsafe {
		settings += unsafeSettings
	} else {
		settings += durableSettings
	}
	settings += "\ninclude_if_exists = 'custom.conf'\n"
	for name, content := range map[string]string{"postgresql.conf": settings, "pg_hba.conf": hostAuthentication} {
		path := filepath.Join(c.dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil { //nolint:gosec // read by the account, and without secrets
			return fmt.Errorf("write postgres configuration: %w", err)
		}
		// A strict umask would leave them unreadable for the account.
		if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // as above
			return fmt.Errorf("open postgres configuration: %w", err)
		}
	}
	return nil
}
