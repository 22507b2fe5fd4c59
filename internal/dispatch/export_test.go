package dispatch

// InMemory is how many runs are in memory and not started.
func (d *Dispatcher) InMemory() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, t := range d.tasks {
		if !t.started {
			n++
		}
	}
	return n
}

// KeysInMemory is how many keys and resources are remembered.
func (d *Dispatcher) KeysInMemory() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.held)
	for _, f := range d.feeds {
		n += len(f.keys) + len(f.asking) + f.stuck
	}
	return n
}
