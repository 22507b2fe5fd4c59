package durable

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/poold/poold/bench/rig"
)

// postgres is a PostgreSQL server with a cluster of its own, as initdb makes
// it, so with the durability that it has by default.
type postgres struct{ server *rig.Server }

// create makes the cluster.
func (p *postgres) create(ctx context.Context, r *rig.Rig) error {
	var err error
	if p.server, err = r.NewServer("postgres", "postgres"); err != nil {
		return err
	}
	password, err := p.server.File("password", p.server.Password)
	if err != nil {
		return err
	}
	cmd := p.server.Command(ctx, "initdb", "-D", p.server.Dir("data"), "-U", "bench", "-A", "scram-sha-256",
		"--pwfile", password, "-E", "UTF8", "--no-instructions")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make a cluster: %w: %s", err, out)
	}
	return nil
}

func (p *postgres) remove() error { return p.server.Remove() }

// start starts the server and returns an empty database.
func (p *postgres) start(ctx context.Context) (*pgxpool.Pool, error) {
	if err := p.server.FreePort(); err != nil {
		return nil, err
	}
	url := func(database string) string {
		return fmt.Sprintf("postgres://bench:%s@127.0.0.1:%d/%s", p.server.Password, p.server.Port, database)
	}
	cmd := p.server.Command(ctx, "postgres", "-D", p.server.Dir("data"), "-p", fmt.Sprint(p.server.Port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	err := p.server.Start(ctx, cmd, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, url("postgres"))
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		for _, q := range []string{"DROP DATABASE IF EXISTS river", "CREATE DATABASE river"} {
			if _, err := conn.Exec(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return pgxpool.New(ctx, url("river")+fmt.Sprintf("?pool_max_conns=%d", connections))
}

// connections is how many the client may open. Commits of several share a
// flush; more than these were slower here.
const connections = 32

func (p *postgres) stop() error { return p.server.Stop() }
