// SPDX-License-Identifier: Apache-2.0
#include "server/agent_hub.h"

#include <algorithm>
#include <set>

#include "server/services.h"
#include "tasks/state.h"

namespace penstock::server {

AgentHub::AgentHub(Api& api, LogStore& logs)
    : api_(api),
      platform_(api.platform()),
      logs_(logs),
      group_(platform_.runtime().executor(), "agent sessions") {
    platform_.on_stop = [this](const tasks::Stop& stop) { send_stop(stop); };
    platform_.on_go = [this](const tasks::Go& go) { send_go(go); };
}

void AgentHub::add_routes() {
    RouteDoc doc{
        .operation = "agentSession", .summary = "WebSocket of an agent", .scope = Scope::agent
    };
    doc.content = "";
    struct Run {
        static io::Task<http::Response> now(AgentHub* hub, access::Principal principal) {
            co_return http::Response::websocket([hub, principal = std::move(principal
                                                      )](std::shared_ptr<http::WebSocket> socket) {
                return hub->serve(std::move(socket), principal);
            });
        }
    };
    api_.raw("GET", "/v1/agent/session", doc, [this](access::Principal principal, http::Request) {
        return Run::now(this, std::move(principal));
    });
}

io::Task<void> AgentHub::deliver(std::shared_ptr<http::WebSocket> socket, std::string text) {
    // An agent that cannot be written to any more says hello again, and learns everything then.
    if (!co_await socket->send_text(std::move(text))) socket->abort();
}

void AgentHub::send(NodeId node, ServerMessage message) {
    const auto found = sessions_.find(node);
    if (found == sessions_.end()) return;
    if (group_.size() >= kSessionQueueMax * (sessions_.size() + 1))
        return found->second->socket->abort();
    group_.spawn(deliver(found->second->socket, json::print(message)));
}

void AgentHub::send_start(const Attempt& attempt) {
    ServerMessage message;
    message.start = start_of(platform_, attempt);
    send(attempt.placement.node_id, std::move(message));
}

void AgentHub::send_stop(const tasks::Stop& stop) {
    ServerMessage message;
    message.stop = stop.stop;
    send(stop.node_id, std::move(message));
}

void AgentHub::send_go(const tasks::Go& go) {
    ServerMessage message;
    message.go = go.go;
    send(go.node_id, std::move(message));
}

io::Task<void> AgentHub::serve(
    std::shared_ptr<http::WebSocket> socket, access::Principal principal
) {
    Session session{.socket = socket, .node_id = {}, .site_id = *principal.site_id};
    telemetry::Logger log = platform_.log().component("agents");
    while (true) {
        Result<std::optional<http::WebSocket::Message>> message = co_await socket->receive();
        if (!message || !*message) break;
        Result<AgentMessage> parsed = json::parse<AgentMessage>((*message)->data);
        const Result<void> done = parsed ? co_await handle(&session, *std::move(parsed))
                                         : std::unexpected(parsed.error());
        if (done) continue;
        log.warning(
            "session ended",
            {{"site", to_string(session.site_id)}, {"cause", to_string(done.error())}}
        );
        co_await socket->close(
            http::WebSocket::kPolicyViolation, done.error().message.substr(0, 120)
        );
        break;
    }
    const auto found = sessions_.find(session.node_id);
    if (found != sessions_.end() && found->second == &session) sessions_.erase(found);
}

io::Task<Result<void>> AgentHub::handle(Session* session, AgentMessage message) {
    if (message.hello) co_return co_await on_hello(session, *std::move(message.hello));
    if (session->node_id.is_nil())
        co_return fail(ErrorCode::invalid_argument, "the first message must be hello");
    if (message.heartbeat)
        on_heartbeat(session, *message.heartbeat);
    else if (message.report)
        co_return co_await on_report(session, *std::move(message.report));
    else if (message.logs)
        co_return co_await on_logs(session, *std::move(message.logs));
    co_return Result<void>{};
}

io::Task<Result<void>> AgentHub::on_hello(Session* session, AgentHello hello) {
    Change change;
    const Node node = CO_TRY(
        platform_.fleet.hello(session->site_id, hello, platform_.make_id<NodeId>(), platform_.now())
    );
    if (!session->node_id.is_nil() && session->node_id != node.id)
        co_return fail(ErrorCode::conflict, "a session speaks for one node");
    platform_.put(change, node);
    platform_.add_event(
        change, "node/" + to_string(node.id), "node_online", node.provider_id, "agent/" + node.name,
        node.site + "/" + node.name + " connected"
    );
    Site site = *platform_.fleet.find_site(node.site_id);
    CO_TRY(issue_pool_codes(platform_, change, site));
    if (describe_site(platform_, site)) {
        platform_.fleet.restore_site(site);
        platform_.put(change, site);
    }
    reconcile(change, node.id, hello);
    const Ticket ticket = platform_.commit(std::move(change));
    CO_TRY(co_await platform_.committed(ticket));
    if (const auto old = sessions_.find(node.id); old != sessions_.end() && old->second != session)
        old->second->socket->abort();
    session->node_id = node.id;
    sessions_[node.id] = session;
    ServerMessage welcome;
    welcome.welcome = ServerWelcome{
        .node_id = node.id,
        .site_id = node.site_id,
        .site = node.site,
        .heartbeat_every = kHeartbeatEvery,
        .acknowledged_seq = acknowledged_[node.id]
    };
    CO_TRY(co_await session->socket->send_text(json::print(welcome)));
    catch_up(node.id, hello);
    if (platform_.on_work) platform_.on_work();
    co_return Result<void>{};
}

void AgentHub::catch_up(NodeId node, const AgentHello& hello) {
    std::set<AttemptId> there;
    for (const RunningAttempt& attempt : hello.attempts) there.insert(attempt.id);
    for (const Attempt* attempt : platform_.board.active_attempts_on(node)) {
        const bool waits = attempt->state == TaskState::staging;
        if (!platform_.board.is_wanted(*attempt)) {
            // Of what is there reconcile() has said so; what never came there is told to end.
            if (!there.contains(attempt->id))
                send_stop(
                    {node,
                     {.attempt_id = attempt->id, .fence = attempt->fence, .grace = tasks::kStopGrace
                     }}
                );
        } else if (!there.contains(attempt->id)) {
            send_start(*attempt);
        } else if (waits && platform_.board.may_go(*attempt)) {
            send_go({node, {attempt->id, attempt->fence}});
        }
    }
}

void AgentHub::reconcile(Change& change, NodeId node, const AgentHello& hello) {
    for (const RunningAttempt& running : hello.attempts) {
        const Attempt* attempt = platform_.board.find_attempt(running.id);
        const bool wanted = attempt != nullptr && attempt->fence == running.fence &&
                            attempt->placement.node_id == node &&
                            platform_.board.is_wanted(*attempt);
        if (!wanted)
            change.tasks.stops.push_back(
                {node,
                 {.attempt_id = running.id, .fence = running.fence, .grace = tasks::kStopGrace}}
            );
        else if (attempt->notice)
            change.tasks.stops.push_back(tasks::stop_of_notice(*attempt));
    }
    for (const Attempt* attempt : platform_.board.active_attempts_on(node)) {
        const bool there = std::ranges::any_of(hello.attempts, [&](const RunningAttempt& running) {
            return running.id == attempt->id;
        });
        // RESERVED ones were never taken up and are sent again; others the agent would know.
        if (!there && attempt->state != TaskState::reserved)
            platform_.board.attempt_vanished(attempt->id, platform_.now(), change.tasks);
    }
}

void AgentHub::on_heartbeat(Session* session, const AgentHeartbeat& heartbeat) {
    (void)platform_.fleet.heartbeat(session->node_id, heartbeat, platform_.now());
}

io::Task<Result<void>> AgentHub::on_report(Session* session, AttemptReport report) {
    Change change;
    const Attempt* attempt = platform_.board.find_attempt(report.attempt_id);
    if (attempt != nullptr && attempt->placement.node_id != session->node_id)
        co_return fail(ErrorCode::permission_denied, "a node reports for its own attempts only");
    const Result<void> taken = platform_.board.report(report, platform_.now(), change.tasks);
    if (taken) {
        update_service(change, *platform_.board.find_attempt(report.attempt_id));
    } else if (!is_terminal(report.state)) {
        // Of an older fence, or ended here: it must not go on there.
        change.tasks.stops.push_back(
            {session->node_id,
             {.attempt_id = report.attempt_id, .fence = report.fence, .grace = tasks::kStopGrace}}
        );
    }
    const Ticket ticket = platform_.commit(std::move(change));
    CO_TRY(co_await platform_.committed(ticket));
    std::int64_t& acknowledged = acknowledged_[session->node_id];
    acknowledged = std::max(acknowledged, report.seq);
    ServerMessage ack;
    ack.ack = ReportAck{report.seq};
    co_return co_await session->socket->send_text(json::print(ack));
}

void AgentHub::update_service(Change& change, const Attempt& attempt) {
    const Task& task = *platform_.board.find(attempt.task_id);
    if (task.spec.service) refresh_service(platform_, change, task.id);
}

io::Task<Result<void>> AgentHub::on_logs(Session* session, LogBatch batch) {
    const Attempt* attempt = platform_.board.find_attempt(batch.attempt_id);
    ServerMessage ack;
    ack.log_ack = LogAck{batch.attempt_id, batch.offset + std::ssize(batch.lines)};
    if (attempt != nullptr) {
        if (attempt->placement.node_id != session->node_id)
            co_return fail(
                ErrorCode::permission_denied, "a node sends logs of its own attempts only"
            );
        for (LogLine& line : batch.lines) {
            line.item = attempt->item;
            line.attempt = attempt->fence;
            if (attempt->gang) line.rank = attempt->gang->rank;
        }
        ack.log_ack->offset = CO_TRY(co_await logs_.append(
            attempt->task_id, attempt->id, batch.offset, std::move(batch.lines)
        ));
    }
    co_return co_await session->socket->send_text(json::print(ack));
}

void AgentHub::tick(Change& change) {
    for (const NodeId id : platform_.fleet.tick(platform_.now())) {
        const Node& node = *platform_.fleet.find_node(id);
        platform_.put(change, node);
        platform_.add_event(
            change, "node/" + to_string(id), "node_lost", node.provider_id, "platform",
            node.site + "/" + node.name + " has been silent since " + to_rfc3339(*node.last_seen_at)
        );
        std::set<TaskId> services;
        for (const Attempt* attempt : platform_.board.active_attempts_on(id))
            if (platform_.board.find(attempt->task_id)->spec.service)
                services.insert(attempt->task_id);
        platform_.board.node_lost(id, *node.last_seen_at, platform_.now(), change.tasks);
        for (const TaskId task : services) refresh_service(platform_, change, task);
    }
}

io::Task<void> AgentHub::close() {
    for (auto& [node, session] : sessions_) session->socket->abort();
    co_await group_.close();
}

}  // namespace penstock::server
