package file

import (
	"context"
	"errors"
	"fmt"

	"github.com/edgeban/edgeban"
)

// applicationID is "EDGB": it tells our file from any other of SQLite.
const applicationID = 0x45444742

// Version is the newest version of the schema.
func Version() int { return len(migrations()) }

// migrations returns what made each version of the schema out of the one
// before. Only ever append: files of every version are about.
//
// Times are nanoseconds of Unix, null for the zero time. An address is its 4 or
// 16 bytes; a subject is 4 or 6, its bytes, and its bits, so that what lies in
// a subject follows it in order. Matches are in pages; the table match holds
// those of before, until Prune has packed them. A large snapshot is in the parts
// of its gen, others have gen 0. The evidence of bans up to pinned
// is in the table evidence.
func migrations() []string {
	return []string{`
create table head (seq integer not null, notice integer not null, latest integer, lost integer) strict;
insert into head values (0, 0, null, null);

create table match (
	seq integer primary key, id text not null unique, jail text not null, kind integer not null,
	addr blob not null, subject blob not null, count integer not null, time integer,
	user text not null, text text not null, ignored text not null
) strict;
create index match_subject on match (subject);
create index match_time on match (time);

create table ban (
	seq integer primary key, jail text not null, subject blob not null, since integer, until integer,
	failures integer not null, nth integer not null, cause integer not null, node text not null, reason text not null,
	lifted integer
) strict;
create index ban_subject on ban (subject);

create table lift (seq integer primary key, jail text not null, subject blob not null, at integer, who text not null) strict;
create index lift_subject on lift (subject);

create table held (
	seq integer primary key, target text not null, subject blob not null, sent integer, held integer, released integer,
	theirs integer not null, packets integer not null
) strict;
create index held_subject on held (subject, target);

create table notice (
	id integer primary key, kind text not null, time integer, jail text not null, subject blob not null, until integer,
	failures integer not null, nth integer not null, user text not null, text text not null, target text not null
) strict;
create table told (notifier text primary key, through integer not null) strict, without rowid;

create table cursor (source text, stream text, pos text not null, primary key (source, stream)) strict, without rowid;
create table snapshot (jail text primary key, at integer not null, latest integer, state blob not null) strict;
`, `
create table evidence (ban integer not null, match integer not null, primary key (ban, match)) strict, without rowid;
create index evidence_match on evidence (match);
create trigger ban_forgotten after delete on ban begin delete from evidence where ban = old.seq; end;
insert into evidence select ban.seq, match.seq from ban join match on match.seq = ban.cause;
`, `
alter table ban add column addr blob not null default x'';
`, `
create table page (
	first integer primary key, last integer not null, n integer not null, oldest integer,
	subjects blob not null, ids blob not null, matches blob not null
) strict;
create table part (gen integer not null, n integer not null, state blob not null, primary key (gen, n)) strict;
alter table snapshot add column gen integer not null default 0;
alter table cursor add column again integer not null default 0;
alter table head add column pinned integer not null default 0;
update head set pinned = seq;
`}
}

// check finds out whether the file is sound and ours.
func (f *File) check(ctx context.Context) error {
	var verdict string
	if err := f.Writer.QueryRowContext(ctx, `pragma quick_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, verdict)
	}
	var id, tables int
	if err := f.Writer.QueryRowContext(ctx, `select application_id, (select count(*) from sqlite_schema) from pragma_application_id`).Scan(&id, &tables); err != nil {
		return err
	}
	if id != applicationID && (id != 0 || tables != 0) {
		return edgeban.Permanent(errors.New("it is a database of something else; name another file"))
	}
	return nil
}

// migrate brings the file to the newest version of the schema, in one step.
func (f *File) migrate(ctx context.Context) error {
	var version int
	if err := f.Writer.QueryRowContext(ctx, `pragma user_version`).Scan(&version); err != nil {
		return err
	}
	all := migrations()
	if version > len(all) {
		return edgeban.Permanent(fmt.Errorf("it has version %d and this edgeban knows up to %d; use a newer edgeban", version, len(all)))
	}
	if version == len(all) {
		return nil
	}
	err := f.Transact(ctx, func() error {
		for _, m := range all[version:] {
			if _, err := f.Writer.ExecContext(ctx, m); err != nil {
				return err
			}
		}
		_, err := f.Writer.ExecContext(ctx, fmt.Sprintf(`pragma application_id = %d; pragma user_version = %d`, applicationID, len(all)))
		return err
	})
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("upgrade from version %d to %d: %w", version, len(all), err)
	}
	return syncDir(f.path)
}
