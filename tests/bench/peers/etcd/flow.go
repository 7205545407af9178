package main

import (
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
)

const (
	oneByOneCount     = 2000
	oneByOneUncounted = 50
	fillClients       = 10
	fillInflight      = 1000
	memorySettles     = 2 * time.Second
)

// A call is one operation on one key.
type call func(c *clientv3.Client, key string) error

func put(c *clientv3.Client, key string) error {
	_, err := c.Put(always, key, value)
	return err
}

func getWith(c *clientv3.Client, key string, how ...clientv3.OpOption) error {
	answer, err := c.Get(always, key, how...)
	if err == nil && (len(answer.Kvs) != 1 || len(answer.Kvs[0].Value) != valueBytes) {
		err = fmt.Errorf("%s is not what was written", key)
	}
	return err
}

// get is linearizable: the server asks a majority.
func get(c *clientv3.Client, key string) error {
	return getWith(c, key)
}

func getStale(c *clientv3.Client, key string) error {
	return getWith(c, key, clientv3.WithSerializable())
}

// haveKeys makes those that the workloads use, unless they are there.
func haveKeys() {
	c := dial(asked.endpoints[0])
	defer c.Close()
	if getWith(c, key(keysCount-1)) == nil {
		return
	}
	inParallel(keysCount, func(i int) { must(put(c, key(i)), "make a key") })
}

func oneByOne(do call) {
	haveKeys()
	clients := placed(1)
	for i := 0; i < oneByOneUncounted; i++ {
		must(do(clients[0], key(0)), "call")
	}
	took := make([]time.Duration, countOr(oneByOneCount))
	m := startMeter()
	for i := range took {
		began := time.Now()
		must(do(clients[0], key(0)), "call")
		took[i] = time.Since(began)
	}
	m.stop(len(took), true)
	tellShape(1, 1)
	tellLatencies("", took)
	hangUp(clients)
}

// flow keeps so many calls under way until the time is up; what each of them took.
func flow(do call, clients []*clientv3.Client, inflight int, until time.Time) []time.Duration {
	each := make([][]time.Duration, inflight)
	var all sync.WaitGroup
	all.Add(inflight)
	for i := range each {
		go func(i int) {
			defer all.Done()
			draw := rand.New(rand.NewSource(int64(i + 1)))
			c := clients[i%len(clients)]
			for began := time.Now(); began.Before(until); began = time.Now() {
				must(do(c, key(draw.Intn(keysCount))), "call")
				each[i] = append(each[i], time.Since(began))
			}
		}(i)
	}
	all.Wait()
	took := []time.Duration{}
	for _, some := range each {
		took = append(took, some...)
	}
	return took
}

func manyAtOnce(do call, count, inflight int) {
	haveKeys()
	clients := placed(count)
	m := startMeter()
	took := flow(do, clients, inflight, m.began.Add(inSeconds(asked.seconds)))
	m.stop(len(took), true)
	tellShape(count, inflight)
	tellLatencies("", took)
	hangUp(clients)
}

func warmUp() {
	haveKeys()
	clients := placed(10)
	flow(put, clients, 1000, time.Now().Add(inSeconds(asked.warmup*4/7)))
	flow(get, clients, 1000, time.Now().Add(inSeconds(asked.warmup*3/7)))
	hangUp(clients)
}

// makeKeys makes new ones, and tells what the servers need with them.
func makeKeys(defined int) {
	total := countOr(defined)
	clients := placed(fillClients)
	_, before := serversMemory()
	var begun int64
	var all sync.WaitGroup
	all.Add(fillInflight)
	m := startMeter()
	for i := 0; i < fillInflight; i++ {
		go func(c *clientv3.Client) {
			defer all.Done()
			for n := atomic.AddInt64(&begun, 1); n <= int64(total); n = atomic.AddInt64(&begun, 1) {
				must(put(c, fmt.Sprintf("/bench/nodes/%d", n)), "make a key")
			}
		}(clients[i%fillClients])
	}
	all.Wait()
	m.stop(total, true)
	time.Sleep(memorySettles)
	each, after := serversMemory()
	tellShape(fillClients, fillInflight)
	line["nodes"] = total
	line["server_rss_kib"] = after
	line["rss_each_kib"] = each
	line["servers_bytes_per_node"] = rounded(float64(after-before)*1024/float64(total), 0)
	hangUp(clients)
}
