package output

import "time"

// Children write without telling us, so their files are looked at: seldom,
// or often while one grows by more than its cap between two looks.
const (
	lookSeldom = 250 * time.Millisecond
	lookOften  = 10 * time.Millisecond
)

// watch keeps the cap of a sink until unwatch. There is one goroutine for all
// sinks of the store, which ends when it finds that no capped file is open.
func (s *Store) watch(k *Sink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capped[k] = struct{}{}
	if !s.watching && !s.closed {
		s.watching = true
		s.watchers.Go(s.look)
	}
}

func (s *Store) unwatch(k *Sink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.capped, k)
}

func (s *Store) look() {
	timer := time.NewTimer(lookOften)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.quit:
			return
		}
		sinks, last := s.watched()
		if last {
			return
		}
		next := lookSeldom
		for _, k := range sinks {
			fast, err := k.trim()
			if err != nil {
				s.complain(err)
			}
			if fast {
				next = lookOften
			}
		}
		timer.Reset(next)
	}
}

// watched lists the sinks to look at; without any, the watch is over.
func (s *Store) watched() (sinks []*Sink, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.capped {
		sinks = append(sinks, k)
	}
	s.watching = len(sinks) > 0
	return sinks, len(sinks) == 0
}

// unsupported says that no cap holds here, once.
func (s *Store) unsupported(err error) {
	s.warn.Do(func() {
		if s.Warn != nil {
			s.Warn("the file system of the output folder cannot drop the middle of files; what commands print is not capped", err)
		}
	})
}

// complain says that a cap could not be kept, once until the text changes: it
// is tried again several times a second.
func (s *Store) complain(err error) {
	s.mu.Lock()
	again := s.complained == err.Error()
	s.complained = err.Error()
	s.mu.Unlock()
	if !again && s.Warn != nil {
		s.Warn("the cap of an output file could not be kept", err)
	}
}
