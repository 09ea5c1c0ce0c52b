package pgserver

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Running gives the connection string of a database of the server that another process runs on dataDir, as its superuser: never log it. ok is false where
// none answers.
func Running(ctx context.Context, dataDir, database string) (url string, ok bool) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return "", false
	}
	c := cluster{dir: dir}
	password, err := os.ReadFile(c.passwordFile())
	if err != nil {
		return "", false
	}
	text, err := os.ReadFile(c.portFile())
	if err != nil {
		return "", false
	}
	port, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return "", false
	}
	url = (&Server{port: port, password: strings.TrimSpace(string(password))}).URL(database)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", false
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the server forgets the connection anyway
	return url, conn.Ping(ctx) == nil
}
