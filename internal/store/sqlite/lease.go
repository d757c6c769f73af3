package sqlite

import "context"

// Hold implements edgeban.Lease. One process has the file, so a lease is lost
// only with the process; what remains is that nobody does a thing twice in it.
func (s *Store) Hold(ctx context.Context, name string, f func(context.Context) error) error {
	if err := s.acquire(ctx, name); err != nil {
		return err
	}
	defer s.free(name)
	return f(ctx)
}

// acquire waits until nobody holds name. Each waiter brings its own channel, see
// subscribe; those who wait get the lease in the order in which they came.
func (s *Store) acquire(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	turn := make(chan struct{}, 1)
	s.leasing.Lock()
	s.leases[name] = append(s.leases[name], turn)
	first := len(s.leases[name]) == 1
	s.leasing.Unlock()
	if first {
		return nil
	}
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		s.leave(name, turn)
		return ctx.Err()
	}
}

// free gives the lease to the next who waits.
func (s *Store) free(name string) {
	s.leasing.Lock()
	defer s.leasing.Unlock()
	s.drop(name, 0)
}

// leave takes a waiter out, who may have been given the lease meanwhile.
func (s *Store) leave(name string, turn chan struct{}) {
	s.leasing.Lock()
	defer s.leasing.Unlock()
	for i, t := range s.leases[name] {
		if t == turn {
			s.drop(name, i)
			return
		}
	}
}

// drop takes the i-th out of the line for a name; the first of it has the lease.
func (s *Store) drop(name string, i int) {
	line := append(s.leases[name][:i:i], s.leases[name][i+1:]...)
	s.leases[name] = line
	switch {
	case len(line) == 0:
		delete(s.leases, name)
	case i == 0:
		line[0] <- struct{}{}
	}
}
