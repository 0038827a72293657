// SPDX-License-Identifier: Apache-2.0
#include "client/client.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "client/content_hash.h"
#include "http/server.h"
#include "http/sse.h"

namespace penstock::client {
namespace {

constexpr auto kWallet =
    R"({"account":"ac1","organisation_id":"og_00000000000000000000000001","asset":"CNY","balance":"5.00","held":"0.00","available":"5.00","spent":"0.00"})";

std::string event_json(int cursor) {
    return R"({"cursor":)" + std::to_string(cursor) +
           R"(,"at":"2026-11-24T12:00:00Z","subject":"task/x","type":"state_changed","organisation_id":"og_00000000000000000000000001","actor":"platform","state":"RUNNING","reason":"none","message":""})";
}
std::string project_json(int number) {
    return R"({"id":"pj_0000000000000000000000000)" + std::to_string(number) +
           R"(","organisation_id":"og_00000000000000000000000001","name":"p","created_at":"2026-11-24T12:00:00Z"})";
}

// A server of canned answers on the same loop as the client.
class ClientTest : public testing::Test {
  protected:
    void serve() {
        server_ = std::make_unique<http::Server>(runtime_, router_, http::ServerOptions{});
        ASSERT_TRUE(server_->start());
        client_ = std::make_unique<Client>(
            runtime_, random_, ConnectionOptions{.endpoint = server_->url(), .key = "sk-test"}
        );
    }
    void TearDown() override {
        client_.reset();
        if (server_) runtime_.block_on(server_->stop(io::Deadline::after(1s)));
    }
    // The answers come one after the other; the last one stays.
    void answer(
        std::string_view method, std::string_view path, std::vector<http::Response (*)()> answers
    ) {
        router_.add(method, path, [this, answers](http::Request request) {
            return reply(
                std::move(request), answers[std::min(requests_.size(), answers.size() - 1)]()
            );
        });
    }
    io::Task<http::Response> reply(http::Request request, http::Response response) {
        requests_.push_back(std::move(request));
        co_return response;
    }

    io::Runtime runtime_;
    SeededRandom random_{1};
    http::Router router_;
    std::unique_ptr<http::Server> server_;
    std::unique_ptr<Client> client_;
    std::vector<http::Request> requests_;
};

TEST_F(ClientTest, SendsTheKeyAndReadsTheAnswer) {
    answer("GET", "/v1/wallet", {[] { return http::Response::json(200, kWallet); }});
    serve();

    const Result<Wallet> wallet = runtime_.block_on(client_->wallet());

    ASSERT_TRUE(wallet) << to_string(wallet.error());
    EXPECT_EQ(to_string(wallet->available), "5.00");
    EXPECT_EQ(requests_.front().headers.get("Authorization"), "Bearer sk-test");
}

TEST_F(ClientTest, RepeatsAPostWithTheSameRequestIdUntilTheServerIsBack) {
    answer(
        "POST", "/v1/wallet:topup",
        {[] { return http::Response::text(503, "starting"); },
         [] { return http::Response::json(200, kWallet); }}
    );
    serve();

    const Result<Wallet> wallet = runtime_.block_on(client_->top_up({}));

    ASSERT_TRUE(wallet) << to_string(wallet.error());
    ASSERT_EQ(requests_.size(), 2U);
    EXPECT_EQ(requests_[0].headers.get("Idempotency-Key").size(), 32U);
    EXPECT_EQ(
        requests_[0].headers.get("Idempotency-Key"), requests_[1].headers.get("Idempotency-Key")
    );
}

TEST_F(ClientTest, DoesNotRepeatARefusal) {
    answer("GET", "/v1/wallet", {[] {
               return http::Response::json(403, R"({"detail":"no","code":"permission_denied"})");
           }});
    serve();

    const Result<Wallet> wallet = runtime_.block_on(client_->wallet());

    EXPECT_EQ(to_string(wallet.error()), "permission_denied: no");
    EXPECT_EQ(requests_.size(), 1U);
}

TEST_F(ClientTest, GivesUpOnAnAddressWhereNobodyListens) {
    serve();
    runtime_.block_on(server_->stop(io::Deadline::after(1s)));

    const Result<Wallet> wallet = runtime_.block_on(client_->wallet());

    EXPECT_EQ(wallet.error().code, ErrorCode::unavailable);
    EXPECT_TRUE(wallet.error().message.starts_with("no answer from http://127.0.0.1"))
        << wallet.error().message;
}

TEST_F(ClientTest, JoinsAllPages) {
    answer(
        "GET", "/v1/projects",
        {[] {
             return http::Response::json(
                 200, R"({"projects":[)" + project_json(1) + R"(],"next_page_token":"n","total":2})"
             );
         },
         [] {
             return http::Response::json(
                 200, R"({"projects":[)" + project_json(2) + R"(],"total":2})"
             );
         }}
    );
    serve();

    const Result<ProjectPage> page =
        runtime_.block_on(client_->list_all<ProjectPage>("/v1/projects", {.filter = "name=p"}));

    ASSERT_TRUE(page) << to_string(page.error());
    EXPECT_EQ(page->projects.size(), 2U);
    EXPECT_FALSE(page->next_page_token);
    EXPECT_EQ(requests_[1].query.to_string(), "page_size=500&page_token=n&filter=name%3Dp");
}

io::Task<void> send_events(http::BodyWriter writer, int first, int last, bool end) {
    http::SseWriter events(writer);
    for (int cursor = first; cursor <= last; ++cursor) {
        http::SseMessage message{.data = event_json(cursor), .id = std::to_string(cursor)};
        co_await events.send(std::move(message));
    }
    if (!end) {
        writer.abort();
        co_return;
    }
    http::SseMessage message{.data = "{}", .event = "end"};
    co_await events.send(std::move(message));
}

TEST_F(ClientTest, ResumesAWatchAtItsCursorAndDropsWhatComesTwice) {
    answer(
        "GET", "/v1/events:watch",
        {[] {
             return http::Response::event_stream([](http::BodyWriter writer) {
                 return send_events(writer, 1, 3, false);
             });
         },
         [] {
             return http::Response::event_stream([](http::BodyWriter writer) {
                 return send_events(writer, 2, 5, true);
             });
         }}
    );
    serve();

    Watch watch = client_->watch_events();
    std::string cursors;
    while (true) {
        const Result<std::optional<Event>> event = runtime_.block_on(watch.next_as<Event>());
        ASSERT_TRUE(event) << to_string(event.error());
        if (!*event) break;
        cursors += std::to_string((*event)->cursor) + " ";
    }

    EXPECT_EQ(cursors, "1 2 3 4 5 ");
    ASSERT_EQ(requests_.size(), 2U);
    EXPECT_EQ(requests_[1].headers.get("Last-Event-ID"), "3");
}

TEST_F(ClientTest, EndsAWatchThatIsRefused) {
    answer("GET", "/v1/tasks/{id}:watch", {[] {
               return http::Response::json(404, R"({"detail":"no task x","code":"not_found"})");
           }});
    serve();

    Watch watch = client_->watch_task("x");
    const auto message = runtime_.block_on(watch.next());

    EXPECT_EQ(to_string(message.error()), "not_found: no task x");
}

class BlobTest : public ClientTest {
  protected:
    BlobTest() {
        char pattern[] = "/tmp/penstock-client-XXXXXX";
        folder_ = mkdtemp(pattern);
    }
    ~BlobTest() override { std::filesystem::remove_all(folder_); }
    std::filesystem::path folder_;
};

TEST_F(BlobTest, UploadsOnlyWhatThePlatformLacks) {
    const std::filesystem::path file = folder_ / "blob";
    std::ofstream(file) << "content";
    const std::string hash = *content_hash_of_file(file);
    bool stored = false;
    router_.add("HEAD", "/v1/blobs/{sha256}", [&](http::Request request) {
        return reply(std::move(request), http::Response::empty(stored ? 200 : 404));
    });
    router_.add("PUT", "/v1/blobs/{sha256}", [&](http::Request request) {
        stored = request.body == "content" && request.param("sha256") == hash;
        return reply(std::move(request), http::Response::empty(204));
    });
    serve();

    const Result<bool> first = runtime_.block_on(client_->upload_blob(hash, file));
    const Result<bool> second = runtime_.block_on(client_->upload_blob(hash, file));

    ASSERT_TRUE(first) << to_string(first.error());
    ASSERT_TRUE(second) << to_string(second.error());
    EXPECT_TRUE(*first);
    EXPECT_FALSE(*second);
}

TEST_F(BlobTest, KeepsNothingOfADownloadWhoseHashIsWrong) {
    answer("GET", "/v1/blobs/{sha256}", {[] { return http::Response::text(200, "changed"); }});
    serve();

    const Result<void> good =
        runtime_.block_on(client_->download_blob(content_hash("changed"), folder_ / "good"));
    const Result<void> bad =
        runtime_.block_on(client_->download_blob(content_hash("content"), folder_ / "bad"));

    EXPECT_TRUE(good) << to_string(good.error());
    EXPECT_FALSE(bad);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

}  // namespace
}  // namespace penstock::client
