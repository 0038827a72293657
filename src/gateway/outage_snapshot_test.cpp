// SPDX-License-Identifier: Apache-2.0
#include "gateway/outage_snapshot.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "gateway/key_cache.h"
#include "gateway/outage.h"
#include "gateway/outage_file.h"

namespace penstock::gateway {
namespace {

namespace fs = std::filesystem;
const Time kNow = Time(1'764'547'140s);

struct Folder {
    Folder() {
        std::string name = (fs::temp_directory_path() / "outage-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { fs::remove_all(path); }
    fs::path path;
};

routing::KeptLease lease_of(std::uint64_t number, Money granted, Money used) {
    routing::KeptLease lease;
    lease.account.subject = to_string(OrganisationId(RawId{1, number}));
    lease.lease_id = LeaseId(RawId{2, number});
    lease.holder = {"gw-1", RunId(RawId{3, 3})};
    lease.granted = Units::of(granted);
    lease.used = Units::of(used);
    lease.expires_at = kNow + 1h;
    return lease;
}

OutageSnapshot some_snapshot() {
    OutageSnapshot snapshot;
    snapshot.head = {{"gw-1", RunId(RawId{3, 3})}, kNow, 7};
    snapshot.routes.version = 12;
    snapshot.routes.routes.push_back({.endpoint = {.model = "m"}, .api_key = "engine's"});
    snapshot.routes.revoked_key_hashes = {to_hex(sha256("gone"))};
    snapshot.keys.push_back({to_hex(sha256("sk-1")), kNow + 1min, kNow + 11min, kNow, {}});
    snapshot.leases = {
        lease_of(1, Money::micro(100), Money::micro(30)), lease_of(2, Money::micro(50), Money())
    };
    return snapshot;
}

std::string why_not(std::string_view bytes) {
    const Result<OutageSnapshot> read = read_snapshot(bytes);
    return read ? "it was read" : read.error().message;
}

TEST(OutageSnapshot, ReadsBackWhatWasWritten) {
    const OutageSnapshot written = some_snapshot();

    const Result<OutageSnapshot> read = read_snapshot(print_snapshot(written));

    ASSERT_TRUE(read) << to_string(read.error());
    EXPECT_EQ(*read, written);
}

TEST(OutageSnapshot, IsRefusedWhenItWasCutAtAnyByte) {
    const std::string whole = print_snapshot(some_snapshot());
    std::size_t taken = 0;

    for (std::size_t size = 0; size < whole.size(); ++size)
        if (read_snapshot(std::string_view(whole).substr(0, size))) ++taken;

    EXPECT_EQ(taken, 0U);
}

TEST(OutageSnapshot, IsRefusedWhenAnyBitOfItHasChanged) {
    const std::string whole = print_snapshot(some_snapshot());
    std::size_t taken = 0;

    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
        if (read_snapshot(changed)) ++taken;
    }

    EXPECT_EQ(taken, 0U);
}

TEST(OutageSnapshot, IsRefusedWithWhatFollowsIt) {
    EXPECT_EQ(
        why_not(print_snapshot(some_snapshot()) + "x"),
        "it is cut or damaged: something follows its end"
    );
    EXPECT_EQ(
        why_not("penstock-outage 2\n"), "it is no snapshot of this version (penstock-outage 1)"
    );
}

TEST(OutageSnapshot, IsOfOneGatewayAndAnHour) {
    const OutageSnapshot snapshot = some_snapshot();

    EXPECT_TRUE(check_snapshot(snapshot, "gw-1", kNow + KeyCache::kStaleMax));
    EXPECT_FALSE(check_snapshot(snapshot, "gw-1", kNow + KeyCache::kStaleMax + 1s));
    EXPECT_FALSE(check_snapshot(snapshot, "gw-1", kNow - 1h));
    EXPECT_EQ(
        check_snapshot(snapshot, "gw-2", kNow).error().message,
        "it is of the gateway 'gw-1': give --replica the name that it had, or this one a state "
        "folder of its own"
    );
}

TEST(OutageFile, IsReadableByItsOwnerAlone) {
    const Folder folder;
    const fs::path path = folder.path / "spool.snapshot";

    ASSERT_TRUE(write_whole(path, "first"));
    ASSERT_TRUE(write_whole(path, "second"));

    struct stat facts{};
    ASSERT_EQ(::stat(path.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0600U);
    EXPECT_EQ(*read_whole(path), "second");
    ASSERT_TRUE(remove_durably(path));
    EXPECT_FALSE(fs::exists(path));
    EXPECT_TRUE(remove_durably(path));
}

// A call of the wallet's lease 1 that cost 10 micro-yuan: ten tokens at a yuan per million.
CallRecord call_of_ten() {
    CallRecord call;
    call.lease_id = LeaseId(RawId{2, 1});
    call.price_input = *parse_price("1");
    call.price_output = *parse_price("1");
    call.tokens = {.input_fresh = 4, .output_visible = 6};
    return call;
}

TEST(LeftSnapshot, TakesOutWhatTheSpoolTellsOfLater) {
    const Folder folder;
    const fs::path path = folder.path / "spool.snapshot";
    ASSERT_TRUE(write_whole(path, print_snapshot(some_snapshot())));
    LeftSnapshot left(path, "gw-1", {});

    left.add(call_of_ten(), 6);  // before the snapshot: `used` knows of it
    left.add(call_of_ten(), 7);
    left.add(call_of_ten(), 9);
    CallRecord lost = call_of_ten();
    lost.attempt_of = RequestId(RawId{5, 5});  // the platform pays it
    left.add(lost, 9);
    const std::optional<OutageSnapshot> snapshot = left.take(kNow + 10min);

    ASSERT_TRUE(snapshot);
    EXPECT_EQ(to_string(snapshot->leases.at(0).rest()), "0.00005");
    EXPECT_EQ(to_string(snapshot->leases.at(1).rest()), "0.00005");
}

TEST(LeftSnapshot, OfAnotherGatewayOrTooOldIsNotUsed) {
    const Folder folder;
    const fs::path path = folder.path / "spool.snapshot";
    ASSERT_TRUE(write_whole(path, print_snapshot(some_snapshot())));

    EXPECT_TRUE(LeftSnapshot(path, "gw-1", {}).take(kNow));
    EXPECT_FALSE(LeftSnapshot(path, "gw-2", {}).take(kNow));
    EXPECT_FALSE(LeftSnapshot(path, "gw-1", {}).take(kNow + 2h));
    EXPECT_FALSE(LeftSnapshot(folder.path / "nothing", "gw-1", {}).take(kNow));
}

}  // namespace
}  // namespace penstock::gateway
