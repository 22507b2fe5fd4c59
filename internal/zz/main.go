package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/poold/poold/internal/jobs"
	jexec "github.com/poold/poold/internal/jobs/exec"
	"github.com/poold/poold/internal/output"
	"github.com/poold/poold/internal/proc"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	mode := flag.String("m", "proc", "")
	n := flag.Int("n", 3000, "")
	k := flag.Int("k", 2, "")
	prof := flag.String("prof", "", "")
	cmd := flag.String("c", "/bin/true", "")
	orph := flag.Bool("o", true, "")
	bg := flag.Int("bg", 0, "live children beside")
	dfl := flag.Bool("dfl", false, "")
	flag.Parse()
	var o *proc.Orphans
	ctx := context.Background()
	if *orph {
		var err error
		o, err = proc.AdoptOrphans()
		must(err)
		go o.Run(ctx)
	}
	for range *bg {
		_, err := proc.Start(proc.Spec{Argv: []string{"/bin/sleep", "100"}, Env: []string{"PATH=/bin"}, Umask: 022, Orphans: o})
		must(err)
	}
	defer func() {
		if *bg > 0 {
			_ = exec.Command("pkill", "-P", fmt.Sprint(os.Getpid())).Run()
		}
	}()
	dir, err := os.MkdirTemp("/tmp/spawn", "out")
	must(err)
	defer os.RemoveAll(dir)
	store, err := output.Open(dir)
	must(err)
	typ := jexec.New(jexec.Options{Orphans: o})
	with, _ := json.Marshal(map[string]any{"command": []string{*cmd}})
	null, _ := os.OpenFile("/dev/null", os.O_RDWR, 0)
	env := os.Environ()
	one := map[string]func(i int64){
		"raw": func(i int64) {
			pidfd := -1
			pid, err := syscall.ForkExec(*cmd, []string{*cmd}, &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{PidFD: &pidfd, Setsid: true}})
			must(err)
			f := os.NewFile(uintptr(pidfd), "x")
			syscall.SetNonblock(pidfd, true)
			_ = f
			syscall.Wait4(pid, nil, 0, nil)
			f.Close()
		},
		"raw2": func(i int64) {
			pidfd := -1
			pid, err := syscall.ForkExec(*cmd, []string{*cmd}, &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{PidFD: &pidfd, Setsid: true}})
			must(err)
			syscall.SetNonblock(pidfd, true)
			f := os.NewFile(uintptr(pidfd), "x")
			c, _ := f.SyscallConn()
			c.Read(func(fd uintptr) bool {
				p, _ := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
				return p == pid
			})
			f.Close()
		},
		"osexec": func(i int64) { must(exec.Command(*cmd).Run()) },
		"proc": func(i int64) {
			p, err := proc.Start(proc.Spec{Argv: []string{*cmd}, Env: env, Umask: 022, Orphans: o, Output: null})
			must(err)
			e, err := p.Wait(ctx)
			must(err)
			if e.Code != 0 {
				panic(e)
			}
			p.Sweep(ctx, proc.Stop{Tree: true, After: time.Second})
			must(p.Close())
		},
		"type": func(i int64) {
			s := store.Sink(i, 1, 1<<20)
			out := typ.Run(ctx, jobs.Task{Ledger: "abcdef", Job: "x", Run: i, Attempt: 1, With: with, Output: s})
			if !out.OK {
				panic(out)
			}
			_, err := s.Close()
			must(err)
		},
	}[*mode]
	if *dfl {
		var act [4]uint64
		syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, 17, uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
	}
	if *mode == "cloop" {
		began := time.Now()
		var r0, r1 syscall.Rusage
		syscall.Getrusage(0, &r0)
		live, started := 0, 0
		attr := &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{}}
		for started < *n || live > 0 {
			for live < *k && started < *n {
				_, err := syscall.ForkExec(*cmd, []string{*cmd}, attr)
				must(err)
				live++
				started++
			}
			_, err := syscall.Wait4(-1, nil, 0, nil)
			must(err)
			live--
		}
		syscall.Getrusage(0, &r1)
		fmt.Printf("cloop %.0f/s self user %d sys %d\n", float64(*n)/time.Since(began).Seconds(), (r1.Utime.Nano()-r0.Utime.Nano())/1000/int64(*n), (r1.Stime.Nano()-r0.Stime.Nano())/1000/int64(*n))
		return
	}
	if *prof != "" {
		f, _ := os.Create(*prof)
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	var r0, r1, c0, c1 syscall.Rusage
	syscall.Getrusage(0, &r0)
	syscall.Getrusage(-1, &c0)
	began := time.Now()
	for range *k {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(*n) {
					return
				}
				one(i)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	syscall.Getrusage(0, &r1)
	syscall.Getrusage(-1, &c1)
	per := func(a, b syscall.Timeval) float64 { return float64(b.Nano()-a.Nano()) / 1000 / float64(*n) }
	th, _ := os.ReadDir("/proc/self/task")
	fmt.Printf("%s: %.0f/s  self user %.0f sys %.0f µs, children user %.0f sys %.0f µs, threads %d\n", *mode, float64(*n)/took.Seconds(),
		per(r0.Utime, r1.Utime), per(r0.Stime, r1.Stime), per(c0.Utime, c1.Utime), per(c0.Stime, c1.Stime), len(th))
}
