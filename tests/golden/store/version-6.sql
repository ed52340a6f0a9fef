-- SPDX-License-Identifier: Apache-2.0
-- A database as the schema of version 6 had it: the last one in which deliveries went with their runs.
CREATE TABLE runbooks(  id INTEGER PRIMARY KEY,  digest BLOB NOT NULL UNIQUE,  text BLOB NOT NULL);
CREATE TABLE runs(  id INTEGER PRIMARY KEY AUTOINCREMENT,  project TEXT NOT NULL,  source TEXT NOT NULL,  state TEXT NOT NULL,  reason TEXT NOT NULL,  event TEXT NOT NULL,  ref TEXT NOT NULL,  asked TEXT NOT NULL,  commit_id TEXT NOT NULL,  tree TEXT NOT NULL,  title TEXT NOT NULL,  actor TEXT NOT NULL,  name TEXT,  retry_of INTEGER REFERENCES runs(id),  runbook INTEGER REFERENCES runbooks(id),  cancelling INTEGER NOT NULL DEFAULT 0,  created_usec INTEGER NOT NULL,  started_usec INTEGER,  ended_usec INTEGER,  findings TEXT, pull_request INTEGER NOT NULL DEFAULT 0, base_ref TEXT NOT NULL DEFAULT '', before_commit TEXT NOT NULL DEFAULT '', from_fork INTEGER NOT NULL DEFAULT 0, unwanted INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0, stop INTEGER NOT NULL DEFAULT 0, stop_by INTEGER, deadline_usec INTEGER);
CREATE INDEX runs_of_project ON runs(project, id);
CREATE INDEX runs_state ON runs(state);
CREATE INDEX runs_asked ON runs(project, asked, created_usec);
CREATE TABLE deliveries(  project TEXT NOT NULL,  delivery TEXT NOT NULL,  run INTEGER NOT NULL REFERENCES runs(id),  received_usec INTEGER NOT NULL,  PRIMARY KEY(project, delivery)) WITHOUT ROWID;
CREATE TABLE steps(  run INTEGER NOT NULL REFERENCES runs(id),  idx INTEGER NOT NULL,  name TEXT NOT NULL,  slug TEXT NOT NULL,  image TEXT NOT NULL,  state TEXT NOT NULL,  reason TEXT NOT NULL,  attempt INTEGER NOT NULL,  ready_usec INTEGER, budget INTEGER NOT NULL DEFAULT 1, max_attempts INTEGER NOT NULL DEFAULT 1, allow_failure INTEGER NOT NULL DEFAULT 0, unmet INTEGER NOT NULL DEFAULT 0,  PRIMARY KEY(run, idx)) WITHOUT ROWID;
CREATE TABLE dependencies(  run INTEGER NOT NULL,  step INTEGER NOT NULL,  depends_on INTEGER NOT NULL,  PRIMARY KEY(run, step, depends_on),  FOREIGN KEY(run, step) REFERENCES steps(run, idx)) WITHOUT ROWID;
CREATE TABLE attempts(  order_id INTEGER PRIMARY KEY AUTOINCREMENT,  run INTEGER NOT NULL,  step INTEGER NOT NULL,  attempt INTEGER NOT NULL,  instance TEXT NOT NULL,  state TEXT NOT NULL,  reason TEXT NOT NULL DEFAULT '',  exit_code INTEGER,  signal INTEGER,  container TEXT NOT NULL,  claimed_usec INTEGER NOT NULL,  started_usec INTEGER,  ended_usec INTEGER,  log_bytes INTEGER NOT NULL DEFAULT 0,  cancelling INTEGER NOT NULL DEFAULT 0, cpu_usec INTEGER, cpu_user_usec INTEGER, cpu_system_usec INTEGER, memory_peak INTEGER, process_peak INTEGER, io_read INTEGER, io_write INTEGER, pids_peak INTEGER, disk_used INTEGER, wait_cpu_usec INTEGER, wait_memory_usec INTEGER, wait_io_usec INTEGER,  UNIQUE(run, step, attempt),  FOREIGN KEY(run, step) REFERENCES steps(run, idx));
CREATE TABLE events(  id INTEGER PRIMARY KEY AUTOINCREMENT,  run INTEGER NOT NULL REFERENCES runs(id),  step TEXT,  attempt INTEGER,  from_state TEXT NOT NULL,  to_state TEXT NOT NULL,  reason TEXT NOT NULL,  at_usec INTEGER NOT NULL);
CREATE INDEX events_of_run ON events(run, id);
CREATE TRIGGER events_fixed BEFORE UPDATE ON events  BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TABLE paused_projects(  project TEXT PRIMARY KEY,  since_usec INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE run_images(  run INTEGER NOT NULL REFERENCES runs(id),  name TEXT NOT NULL,  image TEXT NOT NULL,  PRIMARY KEY(run, name)) WITHOUT ROWID;
CREATE TABLE schedules(  project TEXT NOT NULL,  cron TEXT NOT NULL,  timezone TEXT NOT NULL,  branch TEXT NOT NULL,  last_usec INTEGER NOT NULL,  PRIMARY KEY(project, cron, timezone, branch)) WITHOUT ROWID;
CREATE TABLE schedule_sources(  project TEXT PRIMARY KEY,  run INTEGER NOT NULL,  branch TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE secrets(  project TEXT NOT NULL,  env TEXT NOT NULL,  name TEXT NOT NULL,  key_id TEXT NOT NULL,  box BLOB NOT NULL,  changed_usec INTEGER NOT NULL,  PRIMARY KEY(project, env, name)) WITHOUT ROWID;
CREATE TABLE secret_key(  one INTEGER PRIMARY KEY CHECK(one = 1),  id TEXT NOT NULL,  proof BLOB NOT NULL,  since_usec INTEGER NOT NULL);
INSERT INTO runs(id, project, source, state, reason, event, ref, asked, commit_id, tree, title, actor, created_usec)
VALUES(7, 'p', 'fetch', 'succeeded', '', 'push', 'refs/heads/main', 'c1', 'c1', 'c1', '', '', 1000);
INSERT INTO deliveries VALUES('p', 'old', 7, 5);
INSERT INTO events(run, from_state, to_state, reason, at_usec) VALUES(7, '', 'pending', '', 1000);
PRAGMA user_version = 6;
