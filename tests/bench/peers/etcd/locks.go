package main

import (
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/concurrency"
)

const (
	cyclesCount     = 1000
	cyclesUncounted = 20
	contenders      = 50
	candidates      = 10
	handOvers       = 50
	leadsFor        = 20 * time.Millisecond
)

func lockCycle() {
	clients := placed(1)
	lock := concurrency.NewMutex(openSession(clients[0]), "/bench/lock-cycle")
	took := []time.Duration{}
	var m meter
	for i := -cyclesUncounted; i < countOr(cyclesCount); i++ {
		if i == 0 {
			m = startMeter()
		}
		began := time.Now()
		must(lock.Lock(always), "acquire")
		must(lock.Unlock(always), "release")
		if i >= 0 {
			took = append(took, time.Since(began))
		}
	}
	m.stop(len(took), true)
	tellShape(1, 1)
	tellLatencies("", took)
}

func lockContended() {
	clients := placed(contenders)
	sessions := make([]*concurrency.Session, contenders)
	inParallel(contenders, func(i int) { sessions[i] = openSession(clients[i]) })
	waits := make([][]time.Duration, contenders)
	var holders int32
	var all sync.WaitGroup
	all.Add(contenders)
	m := startMeter()
	until := m.began.Add(inSeconds(asked.seconds))
	for i := range sessions {
		go func(i int) {
			defer all.Done()
			lock := concurrency.NewMutex(sessions[i], "/bench/lock-contended")
			for began := time.Now(); began.Before(until); began = time.Now() {
				must(lock.Lock(always), "acquire")
				waits[i] = append(waits[i], time.Since(began))
				if atomic.AddInt32(&holders, 1) > 1 {
					fail("two holders at once")
				}
				atomic.AddInt32(&holders, -1)
				must(lock.Unlock(always), "release")
			}
		}(i)
	}
	all.Wait()
	took := []time.Duration{}
	for _, some := range waits {
		took = append(took, some...)
	}
	m.stop(len(took), true)
	tellShape(contenders, contenders)
	tellLatencies("", took)
}

// A contest is what the candidates know of each other's turns.
type contest struct {
	sync.Mutex
	left  time.Time // when the last leader decided to go
	took  []time.Duration
	limit int
}

// won notes when somebody knew that it leads; false if that was enough.
func (c *contest) won(now time.Time) bool {
	c.Lock()
	defer c.Unlock()
	if len(c.took) < c.limit && !c.left.IsZero() {
		c.took = append(c.took, now.Sub(c.left))
	}
	return len(c.took) < c.limit
}

func (c *contest) leaves() {
	c.Lock()
	c.left = time.Now()
	c.Unlock()
}

func (c *contest) stand(client *clientv3.Client, closes bool) {
	session := openSession(client)
	for {
		e := concurrency.NewElection(session, "/bench/election")
		must(e.Campaign(always, "me"), "campaign")
		going := c.won(time.Now())
		if going {
			time.Sleep(leadsFor)
		}
		c.leaves()
		if closes {
			must(session.Close(), "close a session")
			session = openSession(client)
		} else {
			must(e.Resign(always), "resign")
		}
		if !going {
			return
		}
	}
}

func elect(closes bool) {
	clients := placed(candidates)
	turns := contest{limit: countOr(handOvers)}
	m := startMeter()
	inParallel(candidates, func(i int) { turns.stand(clients[i], closes) })
	m.stop(len(turns.took), false)
	tellShape(candidates, candidates)
	tellLatencies("", turns.took)
}
