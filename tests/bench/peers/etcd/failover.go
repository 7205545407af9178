package main

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/clientv3"
)

const (
	killsCount     = 5
	writesFor      = time.Second // before a kill, and for the timeline after it
	attemptLimit   = 50 * time.Millisecond
	attemptPause   = 10 * time.Millisecond
	failoverLimit  = time.Minute
	restartedPause = 2 * time.Second
	timelineStep   = 20 * time.Millisecond
	timelineAfter  = 5 * time.Second
)

// untilWritten repeats a write until one is acknowledged, and says when.
func untilWritten(c *clientv3.Client) time.Time {
	for until := time.Now().Add(failoverLimit); time.Now().Before(until); time.Sleep(attemptPause) {
		soon, cancel := context.WithTimeout(always, attemptLimit)
		_, err := c.Put(soon, key(0), value)
		cancel()
		if err == nil {
			return time.Now()
		}
	}
	fail("no write after a kill")
	return time.Time{}
}

func writeOn(c *clientv3.Client) []time.Time {
	times := []time.Time{}
	for until := time.Now().Add(writesFor); time.Now().Before(until); {
		times = append(times, untilWritten(c))
	}
	return times
}

// timeline has how many writes were acknowledged in each step around the kill.
func timeline(written []time.Time, killed time.Time) []int {
	steps := make([]int, (writesFor+timelineAfter)/timelineStep)
	start := killed.Add(-writesFor)
	for _, at := range written {
		if step := int(at.Sub(start) / timelineStep); !at.Before(start) && step < len(steps) {
			steps[step]++
		}
	}
	return steps
}

func restart(server int) {
	command := exec.Command("/bin/sh", "-c",
		strings.ReplaceAll(asked.restart, "{id}", strconv.Itoa(server)))
	command.Stderr = os.Stderr
	must(command.Run(), "start a server again")
	time.Sleep(restartedPause)
}

func failover() {
	if asked.restart == "" {
		fail("--restart says how a killed server is started again")
	}
	haveKeys()
	c := dial(asked.endpoints...)
	took, each, timelines := []time.Duration{}, []float64{}, [][]int{}
	for i := countOr(killsCount); i > 0; i-- {
		leading := leader() + 1
		written := writeOn(c)
		killed := time.Now()
		must(syscall.Kill(pidOf(leading), syscall.SIGKILL), "kill")
		again := untilWritten(c)
		took = append(took, again.Sub(killed))
		each = append(each, rounded(again.Sub(killed).Seconds()*1000, 1))
		if asked.details {
			written = append(append(written, again), writeOn(c)...)
			timelines = append(timelines, timeline(written, killed))
		}
		restart(leading)
	}
	line["ops"] = len(took)
	line["each_ms"] = each
	if asked.details {
		line["timeline_step_ms"] = timelineStep.Milliseconds()
		line["timeline_before_ms"] = writesFor.Milliseconds()
		line["timelines"] = timelines
	}
	tellShape(1, 1)
	tellLatencies("", took)
}
