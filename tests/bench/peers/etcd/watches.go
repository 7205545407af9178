package main

import (
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
)

const (
	watchesTotal = 1000
	fanoutWrites = 50
	fanoutPause  = 20 * time.Millisecond
	fanoutLimit  = 10 * time.Second
	watchedKey   = "/bench/watched"
)

// fanOut has a thousand watches told of each write, of which each client has its share.
func fanOut(count int) {
	clients, writers := placed(count), placed(1)
	must(put(writers[0], watchedKey), "write")
	var told int64
	last := make(chan time.Time, 1)
	var ready sync.WaitGroup
	ready.Add(watchesTotal)
	for i := 0; i < watchesTotal; i++ {
		events := clients[i%count].Watch(always, watchedKey, clientv3.WithCreatedNotify())
		go func() {
			for answer := range events {
				must(answer.Err(), "watch")
				if answer.Created {
					ready.Done()
				}
				for range answer.Events {
					if atomic.AddInt64(&told, 1) == watchesTotal {
						last <- time.Now()
					}
				}
			}
		}()
	}
	ready.Wait()
	issued, acknowledged := []time.Duration{}, []time.Duration{}
	m := startMeter()
	for i := countOr(fanoutWrites); i > 0; i-- {
		atomic.StoreInt64(&told, 0)
		began := time.Now()
		must(put(writers[0], watchedKey), "write")
		answered := time.Now()
		select {
		case at := <-last:
			issued = append(issued, at.Sub(began))
			if at.Before(answered) {
				at = answered
			}
			acknowledged = append(acknowledged, at.Sub(answered))
		case <-time.After(fanoutLimit):
			fail("%d of %d watches were told", atomic.LoadInt64(&told), watchesTotal)
		}
		time.Sleep(fanoutPause)
	}
	m.stop(len(issued), false)
	tellShape(count, 1)
	line["watchers"] = watchesTotal
	tellLatencies("", issued)
	tellLatencies("from_ack_", acknowledged)
}
