// Package daemon puts poold together: it opens the parts in order, lets them
// work, and stops them in the opposite order. Nothing else knows all parts.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/config"
	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/exec"
	"github.com/poold/poold/internal/jobs/http"
	"github.com/poold/poold/internal/jobs/secret"
	"github.com/poold/poold/internal/output"
	"github.com/poold/poold/internal/proc"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/scheduler"
	"github.com/poold/poold/internal/server"
	"github.com/poold/poold/internal/sqlite"
)

// Options are what the daemon is started with.
type Options struct {
	Config  config.Options // where the configuration is, and what overrides it; Types is filled in here
	Version string
	Log     io.Writer // where the log goes
	Getenv  func(string) string
}

// Types returns a registry of the job types that are built in. Their references
// are read from this process's surroundings, and `${env:POOLD_SOCKET}` is the
// given socket of the daemon. Without orphans, attempts take longer to clear up.
func Types(log *slog.Logger, socket string, orphans *proc.Orphans) jobs.Registry {
	secrets := secret.System()
	secrets.Getenv = func(key string) (string, bool) {
		if key == "POOLD_SOCKET" && socket != "" {
			return socket, true
		}
		return os.LookupEnv(key)
	}
	return jobs.NewRegistry(map[string]jobs.Type{
		"exec": exec.New(exec.Options{Log: log, Secrets: secrets, Orphans: orphans}),
		"http": http.New(http.Options{Log: log, Secrets: secrets}),
	})
}

// Daemon is a running poold.
type Daemon struct {
	o       Options
	log     *slog.Logger
	host    string
	began   time.Time
	tell    supervisor
	hub     server.Hub
	ledger  *sqlite.Ledger
	outputs *output.Store
	orphans *proc.Orphans // nil where the kernel cannot
	pools   *dispatch.Dispatcher
	clock   *scheduler.Scheduler

	settings config.Daemon // those it was started with; no reload changes them
	current  atomic.Pointer[config.Config]
	reload   struct {
		sync.Mutex
		running api.Reload  // the last one applied
		last    *api.Reload // the last one tried
	}
	stopper atomic.Value   // of a string: who asked for the stop
	stopID  int64          // of the event of the stop
	steps   steps          // of the wall clock
	strays  chan struct{}  // size 1: a run is queued in a pool that is gone
	rule    chan struct{}  // size 1: what retention keeps has changed
	sizes   sync.WaitGroup // sizes of pools on their way to the ledger
	stops   []stop
}

// stop is one step of stopping, by name.
type stop struct {
	name string
	call func() error
}

// Serve runs the daemon until ctx is done or a signal says stop: the first
// drains, the second stops at once. The error is a config.Errors when the
// configuration is wrong.
func Serve(ctx context.Context, o Options) error {
	d, err := load(o)
	if err != nil {
		return err
	}
	hurry, stopHurry := context.WithCancel(context.Background())
	defer stopHurry()
	ctx, stopNow := context.WithCancel(ctx)
	defer stopNow()
	hangups := d.listenForSignals(ctx, stopNow, stopHurry)

	err = d.open(ctx, hurry, hangups)
	if err == nil {
		d.log.Info("ready", "version", o.Version, "config", d.current.Load().Path,
			"jobs", len(d.current.Load().Jobs), "pools", len(d.current.Load().Pools), "socket", d.current.Load().Daemon.Socket)
		d.tell.ready(d.summary())
		<-ctx.Done()
		d.log.Info("stopping")
		d.tell.stopping()
	}
	return errors.Join(err, d.close())
}

// load reads the configuration and makes the log.
func load(o Options) (*Daemon, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	o.Config.Types = Types(slog.New(slog.DiscardHandler), "", nil)
	cfg, err := config.Load(o.Config)
	if err != nil {
		return nil, err
	}
	log, err := newLogger(o.Log, string(cfg.Daemon.Log.Level), string(cfg.Daemon.Log.Format), o.Getenv)
	if err != nil {
		return nil, err
	}
	orphans, err := proc.AdoptOrphans()
	if err != nil {
		log.Info("reading all processes after each attempt, to see what it left behind", "err", err)
	}
	o.Config.Types = Types(log, cfg.Daemon.Socket, orphans) // now that all is known
	cfg.Registry = o.Config.Types
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("ask for the host's name: %w", err)
	}
	d := &Daemon{
		o: o, log: log, host: host, began: time.Now(), tell: supervisor{log: log}, orphans: orphans, settings: cfg.Daemon,
		strays: make(chan struct{}, 1), rule: make(chan struct{}, 1),
	}
	d.current.Store(cfg)
	return d, nil
}

// open starts the parts, each when those it stands on are there.
func (d *Daemon) open(ctx, hurry context.Context, hangups <-chan os.Signal) error {
	cfg := d.current.Load()
	watcher := config.NewWatcher(config.WatchOptions{
		Files:  func() []string { return d.current.Load().Watched() },
		Settle: time.Duration(cfg.Daemon.Watch.Settle), Log: d.log,
	})
	if d.orphans != nil {
		d.background("reaping orphans", d.orphans.Run)
	}
	if err := d.openStores(ctx, cfg); err != nil {
		return err
	}
	// This early so that it goes on until the pools have drained.
	d.background("watchdog", func(ctx context.Context) error { return d.tell.watch(ctx, d.alive) })
	if err := d.openDispatch(ctx, hurry, cfg); err != nil {
		return err
	}
	listener, err := server.Listen(ctx, cfg.Daemon.Socket)
	if err != nil {
		return fmt.Errorf("open the socket: %w", err)
	}
	if err := d.openScheduler(ctx, cfg); err != nil {
		return errors.Join(err, listener.Close())
	}
	d.rememberStart(cfg)
	d.background("heartbeat", d.keepBeating)
	d.openServer(listener)
	d.background("retention", d.retain)
	d.background("status", d.keepStatus)
	d.background("clock watch", d.watchClock)
	d.background("zone watch", d.watchZones)
	d.watchFiles(watcher, hangups)
	handBack(cfg)
	return nil
}

// openStores opens the ledger and the folder of outputs.
func (d *Daemon) openStores(ctx context.Context, cfg *config.Config) error {
	ledger, err := sqlite.Open(ctx, sqlite.Options{Dir: cfg.Daemon.StateDir, Log: d.log, Host: d.host})
	if err != nil {
		return fmt.Errorf("open the ledger: %w", err)
	}
	d.ledger = ledger
	d.onStop("close the ledger", func() error {
		d.sizes.Wait()
		d.endLife()
		return ledger.Close()
	})
	outputs, err := output.Open(cfg.Daemon.StateDir + "/output")
	if err != nil {
		return fmt.Errorf("open the outputs: %w", err)
	}
	outputs.Warn = func(message string, err error) { d.log.Warn(message, "err", err) }
	d.outputs = outputs
	d.onStop("close the outputs", outputs.Close)
	return nil
}

// openDispatch settles what an earlier daemon left and starts the pools.
func (d *Daemon) openDispatch(ctx, hurry context.Context, cfg *config.Config) error {
	d.pools = dispatch.New(dispatch.Options{
		Ledger: d.ledger, Outputs: sinks{d.outputs}, Log: d.log,
		LedgerID: d.ledger.ID(), Host: d.host,
		Changed: func(r run.Run) { d.hub.Run(&r) },
		Resized: d.recordSize, BatchEnd: d.hub.Batch,
		Stray: func() {
			select {
			case d.strays <- struct{}{}:
			default: // they are looked for already
			}
		},
	})
	d.pools.Apply(dispatchProgram(cfg))
	if err := d.restoreHands(ctx); err != nil {
		return err
	}
	if err := d.pools.Settle(ctx, cfg.Registry); err != nil {
		return err
	}
	d.settleStrays(ctx, cfg)
	d.onStop("stop the pools", func() error {
		d.drain(hurry)
		return nil
	})
	d.background("dispatch", d.pools.Run)
	d.background("strays", d.watchStrays)
	return nil
}

// recordSize records the size of a pool, beside whoever resizes it.
func (d *Daemon) recordSize(pool string, workers int, by dispatch.SizeBy, at time.Time) {
	d.sizes.Go(func() {
		switch by {
		case dispatch.SizeByFile:
			d.noteSize(pool, workers, actorFile, at)
		case dispatch.SizeByWindow:
			d.noteSize(pool, workers, actorWindow, at)
		}
		err := d.ledger.RecordPoolSize(context.Background(), pool, workers, at)
		if err != nil && !errors.Is(err, run.ErrClosed) {
			d.log.Error("record the size of a pool", "pool", pool, "err", err)
		}
	})
}

// drain lets running attempts end, until the deadline or a second signal.
func (d *Daemon) drain(hurry context.Context) {
	limit := time.Duration(d.settings.DrainTimeout)
	if n := len(d.pools.Running()); n > 0 {
		d.log.Info("waiting for running attempts", "running", n, "at_most", limit)
	}
	ctx, cancel := context.WithTimeout(hurry, limit)
	defer cancel()
	d.pools.Close(ctx)
}

func (d *Daemon) openServer(listener net.Listener) {
	s := server.New(server.Options{Backend: d.backend(), Hub: &d.hub, Log: d.log, Version: d.o.Version})
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(listener); err != nil {
			d.log.Error("serve the API", "err", err)
		}
	})
	d.onStop("stop the API", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		serving.Wait()
		return err
	})
}

func (d *Daemon) openScheduler(ctx context.Context, cfg *config.Config) error {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		d.log.Warn("read the boot id; @reboot jobs start with each start of the daemon", "err", err)
		boot = []byte(time.Now().Format(time.RFC3339Nano))
	}
	clock, err := scheduler.New(ctx, scheduler.Options{
		Ledger: d.ledger, Queue: d.pools, Log: d.log, Host: d.host, BootID: strings.TrimSpace(string(boot)),
		Arguments: d.arguments,
		Paused:    func(job string) bool { return d.pools.JobPause(job) != nil },
	})
	if err != nil {
		return err
	}
	d.clock = clock
	if err := d.beginLife(ctx); err != nil {
		return err
	}
	d.steps.look(readClocks())
	clock.Apply(ctx, schedulerProgram(cfg))
	d.onStop("record the stop", d.endOfSchedule)
	d.background("scheduler", clock.Run)
	return nil
}

// background runs a loop until its stop comes up.
func (d *Daemon) background(name string, loop func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- loop(ctx) }()
	d.onStop("stop "+name, func() error {
		cancel()
		return <-ended
	})
}

// onStop pushes a step of stopping: what was opened last is stopped first.
func (d *Daemon) onStop(name string, call func() error) {
	d.stops = append(d.stops, stop{name, call})
}

// close stops everything that was opened.
func (d *Daemon) close() error {
	var errs []error
	for len(d.stops) > 0 {
		last := d.stops[len(d.stops)-1]
		d.stops = d.stops[:len(d.stops)-1]
		d.log.Debug(last.name)
		if err := last.call(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", last.name, err))
		}
	}
	return errors.Join(errs...)
}

// listenForSignals stops the daemon on the first INT or TERM, hurries it on the
// second, and passes on HUP.
func (d *Daemon) listenForSignals(ctx context.Context, stopNow, stopHurry func()) <-chan os.Signal {
	ends, hangups := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(ends, unix.SIGINT, unix.SIGTERM)
	signal.Notify(hangups, unix.SIGHUP)
	go func() {
		select {
		case <-ctx.Done():
		case sig := <-ends:
			d.log.Info("signal received; once more stops at once", "signal", sig)
			d.stopper.Store(actorSignal + signalName(sig))
			stopNow()
		}
		<-ends
		d.log.Warn("stopping at once")
		stopHurry()
	}()
	return hangups
}

// signalName is the name of a signal without SIG.
func signalName(sig os.Signal) string {
	if number, ok := sig.(syscall.Signal); ok {
		return strings.TrimPrefix(unix.SignalName(number), "SIG")
	}
	return sig.String()
}

// clockSet makes whoever waits for a time look again.
func (d *Daemon) clockSet() {
	d.pullIn(context.Background())
	d.clock.Wake()
	d.pools.Wake()
	d.lookAtClock()
	if err := d.beat(context.Background()); err != nil {
		d.log.Error("record that the daemon is alive", "err", err)
	}
}

// pullIn lets runs go sooner that a clock far ahead has put off.
func (d *Daemon) pullIn(ctx context.Context) {
	n, err := d.ledger.PullIn(ctx, time.Now())
	if err != nil && !errors.Is(err, run.ErrClosed) {
		d.log.Error("look for runs that a wrong clock put off", "err", err)
	}
	if n > 0 {
		d.log.Info("runs pulled in that a wrong clock had put off", "runs", n)
		d.pools.Wake()
	}
}

// alive says whether the daemon does its work: the ledger answers.
func (d *Daemon) alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := d.ledger.Runs(ctx, run.Filter{Limit: 1})
	return err
}

// keepStatus keeps systemd's status line up to date.
func (d *Daemon) keepStatus(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	last := ""
	for {
		if now := d.summary(); now != last {
			d.tell.status(now)
			last = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// summary says in one line what the daemon is doing.
func (d *Daemon) summary() string {
	cfg, queued := d.current.Load(), 0
	for _, c := range d.ledger.Counts() {
		queued += c.Queued
	}
	return fmt.Sprintf("%d jobs, %d pools; %d running, %d queued", len(cfg.Jobs), len(cfg.Pools), len(d.pools.Running()), queued)
}

// sinks gives dispatch the outputs of a store.
type sinks struct{ store *output.Store }

// Sink is the place for an attempt's output.
func (s sinks) Sink(id int64, attempt int, limit int64) dispatch.Output {
	return s.store.Sink(id, attempt, limit)
}
