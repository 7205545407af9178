package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/concurrency"
)

const (
	valueBytes     = 100
	keysCount      = 1000
	leaseSeconds   = 12
	dialPatience   = 10 * time.Second
	statusPatience = 2 * time.Second
	openedAtOnce   = 50
)

var (
	always = context.Background()
	value  = strings.Repeat("x", valueBytes)
)

func key(number int) string {
	return fmt.Sprintf("/bench/k%06d", number)
}

func dial(endpoints ...string) *clientv3.Client {
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: dialPatience})
	must(err, "connect")
	return c
}

// inParallel calls do for 0 to count-1, a few at a time.
func inParallel(count int, do func(i int)) {
	var all sync.WaitGroup
	tickets := make(chan struct{}, openedAtOnce)
	for i := 0; i < count; i++ {
		tickets <- struct{}{}
		all.Add(1)
		go func(i int) {
			do(i)
			<-tickets
			all.Done()
		}(i)
	}
	all.Wait()
}

// leader is the index of the server that leads; it waits for one.
func leader() int {
	for until := time.Now().Add(dialPatience); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		for i, endpoint := range asked.endpoints {
			if leads(endpoint) {
				return i
			}
		}
	}
	fail("nobody leads")
	return 0
}

func leads(endpoint string) bool {
	c := dial(endpoint)
	defer c.Close()
	soon, cancel := context.WithTimeout(always, statusPatience)
	defer cancel()
	status, err := c.Status(soon, endpoint)
	return err == nil && status.Leader == status.Header.MemberId
}

// placed has so many connections, each to one server, and used once.
func placed(count int) []*clientv3.Client {
	clients := make([]*clientv3.Client, count)
	servers := len(asked.endpoints)
	first, step := 0, 1 // spread
	switch asked.placement {
	case "leader":
		first, step = leader(), 0
	case "follower":
		first, step = (leader()+1)%servers, 0
	}
	inParallel(count, func(i int) {
		clients[i] = dial(asked.endpoints[(first+i*step)%servers])
		_, err := clients[i].Get(always, "/bench/none")
		must(err, "the first read")
	})
	return clients
}

func hangUp(clients []*clientv3.Client) {
	inParallel(len(clients), func(i int) { _ = clients[i].Close() })
}

// ---- sessions ----

var opened struct {
	sync.Mutex
	sessions []*concurrency.Session
}

func openSession(c *clientv3.Client) *concurrency.Session {
	s, err := concurrency.NewSession(c, concurrency.WithTTL(leaseSeconds))
	must(err, "open a session")
	opened.Lock()
	opened.sessions = append(opened.sessions, s)
	opened.Unlock()
	return s
}

// leaveSessions ends those that are not ended: no lease is to expire under the
// next workload.
func leaveSessions() {
	opened.Lock()
	defer opened.Unlock()
	for _, s := range opened.sessions {
		select {
		case <-s.Done():
		default:
			_ = s.Close()
		}
	}
}
