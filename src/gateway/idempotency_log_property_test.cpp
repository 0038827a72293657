// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "gateway/idempotency_log.h"

namespace penstock::gateway {
namespace {

namespace fs = std::filesystem;
using Ruling = IdempotencyTable::Ruling;
const Time kStart{std::chrono::hours(1'000'000)};
constexpr std::uint64_t kBytesMax = 24'000;
constexpr std::uint64_t kSegmentBytes = 3'000;
constexpr int kKeys = 12;

struct Folder {
    Folder() {
        std::string name = (fs::temp_directory_path() / "idempotency-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { fs::remove_all(path); }
    fs::path path;
};

IdempotencyLog::Use use_of(int key, int call) {
    return {
        sha256(std::to_string(key)), sha256("request"),
        RequestId(RawId{1, static_cast<std::uint64_t>(call)})
    };
}

CallRecord settled(int call, bool charged) {
    CallRecord record;
    record.id = use_of(0, call).call_id;
    record.price_input = record.price_output = *parse_price("1");
    record.tokens = {.input_fresh = charged ? 3 : 0, .output_visible = 0};
    return record;
}

// Two processes of one gateway and what the world knows: who runs a key, and until when it may not
// be charged again.
struct World {
    struct Known {
        int owner = -1;  // the process that runs it; -1: nobody
        int call = 0;
        bool charged = false;
        Time since;
        std::string answer;
    };
    World() {
        for (int owner = 0; owner < 2; ++owner) start(owner);
    }

    void start(int owner) {
        auto opened = IdempotencyLog::open(
            {},
            {.directory = folder.path,
             .owner = std::to_string(owner),
             .bytes_max = kBytesMax,
             .segment_bytes = kSegmentBytes},
            now
        );
        RC_ASSERT(opened.has_value());
        logs[owner] = *std::move(opened);
    }

    void begin(int owner, int key) {
        Known& known = keys[key];
        const auto judged = logs[owner]->begin(use_of(key, ++calls), now);
        RC_ASSERT(judged.has_value());
        const bool kept = known.charged && now < known.since + IdempotencyTable::kKeptFor;
        switch (judged->ruling) {
            case Ruling::begins:
                RC_ASSERT(known.owner < 0);
                RC_ASSERT(!kept);
                known = {.owner = owner, .call = calls};
                break;
            case Ruling::runs:
                RC_ASSERT(known.owner >= 0);
                break;
            case Ruling::ended:
                RC_ASSERT(kept);
                RC_ASSERT(judged->entry.call_id == use_of(key, known.call).call_id);
                if (judged->entry.end == KeptEnd::answered) {
                    const auto read = logs[owner]->read(judged->entry.place);
                    RC_ASSERT(read.has_value());
                    RC_ASSERT(read->body == known.answer);
                }
                break;
            case Ruling::other_request:
            case Ruling::full:
                RC_FAIL("twelve keys of one request fit");
        }
    }

    void end(int owner, int key, int how) {
        Known& known = keys[key];
        if (known.owner != owner) return;
        const IdempotencyLog::Use use = use_of(key, known.call);
        known.owner = -1;
        if (how % 4 == 0) return logs[owner]->free(use, now);
        known.charged = true;
        known.since = now;
        known.answer = std::string(static_cast<std::size_t>(how) * 17, 'x');
        const KeptAnswer answer{.body = known.answer};
        logs[owner]->end(
            use, {.charge = ExactMoney(how), .answer = how % 4 == 1 ? nullptr : &answer}, now
        );
    }

    // Of the calls that it ran, the spool has a charge for every other one.
    void crash(int owner, int torn) {
        logs[owner].reset();
        if (torn % 2 == 0) {
            std::vector<fs::path> files;
            for (const auto& entry : fs::directory_iterator(folder.path))
                if (entry.path().extension() == ".idem") files.push_back(entry.path());
            std::ofstream(*std::ranges::max_element(files), std::ios::app | std::ios::binary)
                << std::string(static_cast<std::size_t>(torn), '\x7f');
        }
        start(owner);
        IdempotencyLog::Findings findings(*logs[owner]);
        for (auto& [key, known] : keys) {
            if (known.owner != owner) continue;
            const bool charged = known.call % 2 == 0;
            findings.add(settled(known.call, charged));
            known.owner = -1;
            known.charged = charged;
            known.since = now;
        }
        logs[owner]->resolve(std::to_string(owner), findings, now);
    }

    Folder folder;
    Time now = kStart;
    int calls = 0;
    std::map<int, Known> keys;
    std::map<int, std::unique_ptr<IdempotencyLog>> logs;  // by owner
};

// Whatever order two processes begin, end, crash and come back in: no key runs twice, none that was
// charged is forgotten within its time, an answer is that of its call, and the limit is kept.
RC_GTEST_PROP(IdempotencyLogProperty, NoChargedKeyIsForgottenAndTheLimitIsKept, ()) {
    World world;
    const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
        120, rc::gen::pair(rc::gen::inRange(0, 1000), rc::gen::inRange(0, 200))
    );
    for (const auto& [what, how] : steps) {
        const int owner = what % 2;
        const int key = how % kKeys;
        switch (what / 2 % 8) {
            case 0:
            case 1:
            case 2:
                world.begin(owner, key);
                break;
            case 3:
            case 4:
            case 5:
                world.end(owner, key, how);
                break;
            case 6:
                world.now += std::chrono::minutes(how);
                break;
            default:
                world.crash(owner, how);
        }
        RC_ASSERT(world.logs[0]->bytes() <= kBytesMax);
        std::uintmax_t on_disk = 0;
        for (const auto& entry : fs::directory_iterator(world.folder.path))
            if (entry.path().extension() == ".idem") on_disk += entry.file_size();
        RC_ASSERT(on_disk <= kBytesMax + 200U);  // what is torn is cut by who looks next
    }
}

}  // namespace
}  // namespace penstock::gateway
