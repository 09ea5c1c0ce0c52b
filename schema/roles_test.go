package schema_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const insufficientPrivilege = "42501" // PostgreSQL manual, appendix A

// What serves untrusted input has no right to change the schema, and none to change what is only ever added to.
func TestTheServingRoleHasRowsAndNothingElse(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), testkit.Serving(t, testkit.Database(t)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })

	for _, sql := range []string{
		`CREATE TABLE mine (a int)`,
		`CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
		`ALTER TABLE apps ADD COLUMN mine int`,
		`DROP TABLE apps`,
		`TRUNCATE apps CASCADE`,
		`ALTER TABLE apps DISABLE TRIGGER ALL`,
		`CREATE ROLE mine`,
		`SET ROLE picloud`,
		`COPY (SELECT 1) TO PROGRAM 'true'`,
		`UPDATE goose_db_version SET version_id = 0`,
	} {
		_, err := conn.Exec(t.Context(), sql)
		var refused *pgconn.PgError
		if assert.ErrorAs(t, err, &refused, sql) {
			assert.Contains(t, []string{insufficientPrivilege, "22023"}, refused.Code, "%s: %s", sql, refused.Message)
		}
	}

	_, err = conn.Exec(t.Context(), `INSERT INTO apps (slug, name) VALUES ('a', 'a')`)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `SELECT partitions_create('events', current_date, 3)`)
	require.NoError(t, err, "its daily work goes on")
	_, err = conn.Exec(t.Context(), `SELECT partitions_create('apps', current_date, 3)`)
	require.ErrorContains(t, err, "has no daily partitions")

	var dropped int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT partitions_drop('events', current_date + 100)`).Scan(&dropped))
	var today bool
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT to_regclass('events_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')) IS NOT NULL`).Scan(&today))
	assert.True(t, today, "what is of today is never dropped")
}
