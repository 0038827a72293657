// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/api_fixture.h"
#include "json/json.h"
#include "model/page.h"

namespace penstock::cli {
namespace {

const Time kAt = *parse_rfc3339("2026-11-24T12:00:00Z");

GatewayStatus status_of(GatewayState state) {
    GatewayStatus status{.name = "gw-1", .state = state, .region = "east", .reported_at = kAt};
    status.processes = 1;
    status.routes_version = 11;
    status.routes_current = 12;
    status.calls_in_flight = 2;
    status.calls_held = 1;
    status.batch_lines = 0;
    status.leases = 3;
    status.held = *parse_money("0.25");
    status.breakers_open = 1;
    status.has_unsettled = true;
    if (state != GatewayState::serving) status.draining_since = kAt;
    return status;
}

GatewayRoute route_of(std::string model) {
    GatewayRoute route;
    route.endpoint_id = EndpointId(RawId{7, 1});
    route.model = std::move(model);
    route.provider = "acme";
    route.site = "edge";
    return route;
}

class GatewayCommands : public ApiFixture {
  protected:
    // Each answer once, the last one again and again.
    void answer_in_turn(const std::vector<GatewayStatus>& statuses) {
        router_.add("GET", "/v1/gateways/{name}", [this, statuses](http::Request request) {
            const std::size_t at = std::min(asked_++, statuses.size() - 1);
            return reply(std::move(request), http::Response::json(200, json::print(statuses[at])));
        });
    }
    std::size_t asked_ = 0;
};

TEST_F(GatewayCommands, ShowWhatAGatewayCarriesAndDashesForWhatIsUnknown) {
    GatewayPage page;
    page.gateways = {
        status_of(GatewayState::serving), GatewayStatus{.name = "gw-2", .routes_current = 12}
    };
    page.total = 2;
    answer("GET", "/v1/gateways", 200, json::print(page));
    EXPECT_EQ(
        run({"gateway", "list", "--columns",
             "NAME,STATE,CALLS,LEASES,HELD,BREAKERS-OPEN,TABLE,REGION"})
            .out,
        "NAME  STATE    CALLS  LEASES  HELD  BREAKERS-OPEN  TABLE  REGION\n"
        "gw-1  serving      2       3  0.25              1  11/12  east\n"
        "gw-2  away         -       -     -              -  -/12   -\n"
    );
    EXPECT_TRUE(run({"gateway", "list", "--lang", "zh"}).out.contains("数据新旧"));
    EXPECT_EQ(
        *json::parse_value(run({"gateway", "list", "-o", "json"}).out),
        *json::parse_value(json::print(page))
    );
}

TEST_F(GatewayCommands, ShowBreakersAndMeasuredFigures) {
    GatewayRoute open = route_of("bad");
    open.breaker = {
        .state = BreakerState::open,
        .cause = BreakerCause::failures,
        .since = kAt,
        .next_probe = kAt + 2s,
        .times_opened = 1
    };
    open.success_share = 0.25;
    open.samples = 8;
    open.first_token_ms_p50 = 85.2;
    open.calls_in_flight = 3;
    open.reported_at = kAt;
    GatewayRoute unreported = route_of("new");
    unreported.in_table = false;
    GatewayRoutePage page;
    page.routes = {open, unreported};
    page.total = 2;
    answer("GET", "/v1/gateways/gw-1/routes", 200, json::print(page));
    EXPECT_EQ(
        run({"gateway", "routes", "gateway/gw-1", "--columns",
             "MODEL,STATE,BREAKER,PROBE-IN,CALLS,TTFT-MS,TOK/S,SUCCESS-%,SAMPLES,DATA-AGE", "-o",
             "csv"})
            .out,
        "MODEL,STATE,BREAKER,PROBE-IN,CALLS,TTFT-MS,TOK/S,SUCCESS-%,SAMPLES,DATA-AGE\r\n"
        "bad,ready,open(failures),2026-11-24T12:00:02Z,3,85,,25,8,2026-11-24T12:00:00Z\r\n"
        "new,unreported,,,,,,,,\r\n"
    );
}

TEST_F(GatewayCommands, WhoSeesNoRoutesIsToldWhoSeesWhich) {
    const std::string page = json::print(GatewayRoutePage());
    answer("GET", "/v1/gateways/gw-1/routes", 200, page);
    const Run english = run({"gateway", "routes", "gw-1"});
    EXPECT_EQ(english.out, "");
    EXPECT_EQ(
        english.err,
        "No routes found. A provider sees the routes to its own endpoints, an operator sees all.\n"
    );
    EXPECT_EQ(
        run({"gateway", "routes", "gw-1", "--lang", "zh"}).err,
        "没有找到 routes。提供方只看到通往自己端点的 routes，运营方看到全部。\n"
    );
    const Run machine = run({"gateway", "routes", "gw-1", "-o", "json"});
    EXPECT_EQ(*json::parse_value(machine.out), *json::parse_value(page));
    EXPECT_EQ(machine.err, "");
    EXPECT_EQ(run({"gateway", "routes", "gw-1", "-q"}).code, 0);
}

TEST_F(GatewayCommands, ShowLeasesAndPassOnTheOrganisation) {
    GatewayLease lease;
    lease.organisation = "acme";
    lease.account.subject = "og_01k00000000000000000000001";
    lease.granted = lease.outstanding = Units::whole(1);
    lease.held = *parse_units("0.25");
    lease.free = *parse_units("0.75");
    lease.fill_percent = 75;
    lease.epoch = 4;
    lease.expires_at = kAt;
    GatewayLeasePage page;
    page.leases = {lease};
    page.total = 1;
    answer("GET", "/v1/gateways/gw-1/leases", 200, json::print(page));
    EXPECT_EQ(
        run({"gateway", "leases", "gw-1", "--organisation", "acme", "--columns",
             "ORGANISATION,MEASURE,AMOUNT,HELD,FREE,FILL-%,SETTLED,EPOCH"})
            .out,
        "ORGANISATION  MEASURE  AMOUNT  HELD  FREE  FILL-%  SETTLED  EPOCH\n"
        "acme          wallet        1  0.25  0.75      75        0      4\n"
    );
    EXPECT_EQ(requests().front().query.get("organisation"), "acme");
}

TEST_F(GatewayCommands, DrainTellsHowFarItIsAndWaitsForTheEnd) {
    GatewayStatus less = status_of(GatewayState::draining);
    less.calls_in_flight = less.calls_held = 0;
    answer("POST", "/v1/gateways/gw-1:drain", 200, json::print(status_of(GatewayState::draining)));
    answer_in_turn({status_of(GatewayState::draining), less, status_of(GatewayState::drained)});
    const Run run = this->run({"gateway", "drain", "gw-1", "-o", "name"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(run.out, "gateway/gw-1\n");
    EXPECT_EQ(
        run.err,
        "gateway/gw-1 drains: calls 3, batch lines 0, leases 3, unsettled records: yes\n"
        "gateway/gw-1 drains: calls 0, batch lines 0, leases 3, unsettled records: yes\n"
        "gateway/gw-1 is drained; Next: penstock gateway undrain gw-1, or stop its process\n"
    );
}

TEST_F(GatewayCommands, DrainGivesUpAfterItsTimeAndSaysWhatIsLeft) {
    answer("POST", "/v1/gateways/gw-1:drain", 200, json::print(status_of(GatewayState::draining)));
    answer_in_turn({status_of(GatewayState::draining)});
    const Run run = this->run({"gateway", "drain", "gw-1", "--timeout", "100ms", "-q"});
    EXPECT_EQ(run.code, 8);
    EXPECT_EQ(run.err, "gateway/gw-1 still carries 2 calls; it goes on draining\n");
}

TEST_F(GatewayCommands, DrainNeedNotWait) {
    answer("POST", "/v1/gateways/gw-1:drain", 200, json::print(status_of(GatewayState::draining)));
    const Run run = this->run({"gateway", "drain", "gw-1", "--no-wait"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_TRUE(run.err.contains("penstock gateway get")) << run.err;
    EXPECT_EQ(requests().size(), 1U);
}

TEST_F(GatewayCommands, DrainOfOneThatIsAwaySaysSo) {
    answer("POST", "/v1/gateways/gw-1:drain", 200, json::print(status_of(GatewayState::away)));
    const Run run = this->run({"gateway", "drain", "gw-1", "--lang", "zh"});
    EXPECT_EQ(run.code, 1);
    EXPECT_TRUE(run.err.contains("近来没有上报")) << run.err;
}

}  // namespace
}  // namespace penstock::cli
