package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	sqlite3 "modernc.org/sqlite"
)

// conn is one connection, with its prepared statements. It is the driver's
// own, without database/sql, which would cost a third of the writer's time;
// one goroutine uses it at a time.
type conn struct {
	raw   driver.Conn
	stmts map[string]stmt
}

type stmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// openConn opens the database at path, whatever characters the path is of.
func openConn(path string) (*conn, error) {
	name := (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String()
	raw, err := (&sqlite3.Driver{}).Open(name)
	if err != nil {
		return nil, err
	}
	return &conn{raw: raw, stmts: map[string]stmt{}}, nil
}

func (c *conn) close() error {
	for _, s := range c.stmts {
		_ = s.Close()
	}
	return c.raw.Close()
}

// script runs statements that are needed once.
func (c *conn) script(ctx context.Context, sql string) error {
	ex, ok := c.raw.(driver.ExecerContext)
	if !ok {
		return errors.New("the driver runs no scripts")
	}
	_, err := ex.ExecContext(ctx, sql, nil)
	return err
}

// checkpoint moves the write-ahead log into the database file and empties it.
func (c *conn) checkpoint() error {
	if err := c.script(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// prepare returns the statement, made on first use. The texts are those in
// this package, so their number is bounded.
func (c *conn) prepare(sql string) (stmt, error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	raw, err := c.raw.Prepare(sql)
	if err != nil {
		return nil, err
	}
	s, ok := raw.(stmt)
	if !ok {
		return nil, errors.New("the driver's statements take no context")
	}
	c.stmts[sql] = s
	return s, nil
}

// exec runs a statement that returns no rows.
func (c *conn) exec(ctx context.Context, sql string, args ...any) (affected, lastID int64, err error) {
	s, err := c.prepare(sql)
	if err != nil {
		return 0, 0, err
	}
	res, err := s.ExecContext(ctx, named(args))
	if err != nil {
		return 0, 0, err
	}
	affected, err = res.RowsAffected()
	if err != nil {
		return 0, 0, err
	}
	lastID, err = res.LastInsertId()
	return affected, lastID, err
}

// query calls row for each row. The values are good until row returns; row may
// run other statements on the connection, but not change what is being read.
func (c *conn) query(ctx context.Context, sql string, args []any, row func([]driver.Value) error) (err error) {
	s, err := c.prepare(sql)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, named(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	vals := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(vals); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := row(vals); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// snapshot lets f's queries see one state of the database.
func (c *conn) snapshot(ctx context.Context, f func() error) error {
	if _, _, err := c.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	err := f()
	if _, _, endErr := c.exec(context.Background(), "COMMIT"); endErr != nil {
		_, _, rollErr := c.exec(context.Background(), "ROLLBACK")
		err = errors.Join(err, endErr, rollErr)
	}
	return err
}

// named turns Go values into those the driver takes: no text and no time are
// NULL.
func named(args []any) []driver.NamedValue {
	vals := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		vals[i] = driver.NamedValue{Ordinal: i + 1, Value: value(arg)}
	}
	return vals
}

func value(arg any) driver.Value {
	switch v := arg.(type) {
	case int:
		return int64(v)
	case string:
		if v == "" {
			return nil
		}
	case plain:
		return string(v)
	case time.Time:
		return nanos(v)
	case time.Duration:
		return int64(v)
	case *int:
		if v == nil {
			return nil
		}
		return int64(*v)
	}
	return arg
}

// plain is text that stays text when it is empty.
type plain string

// nanos is how a time is stored. Times that nanoseconds cannot hold become the
// nearest that they can.
func nanos(t time.Time) driver.Value {
	switch {
	case t.IsZero():
		return nil
	case t.Year() > 2261:
		t = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
	case t.Year() < 1678:
		t = time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return t.UnixNano()
}

// number, text and instant read a column; NULL is their zero value.
func number(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

func text(v driver.Value) string {
	s, _ := v.(string)
	return s
}

func instant(v driver.Value) time.Time {
	n, ok := v.(int64)
	if !ok {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func optional(v driver.Value) *int {
	n, ok := v.(int64)
	if !ok {
		return nil
	}
	i := int(n)
	return &i
}
