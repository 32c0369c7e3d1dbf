#ifndef KVOLT_HUB_RESULTS_HPP
#define KVOLT_HUB_RESULTS_HPP

namespace kvolt {

/// What became of a message to a room, a seat or a key.
enum class BroadcastResult {
    taken,    ///< It has its place in the order: whom it is for gets it, unless he is too slow.
    invalid,  ///< Refused: text that is not UTF-8. Whoever got it would have to end his connection.
    full,     ///< Refused: more is under way than HubOptions::queue() allows.
    limited,  ///< Refused: the seat is over its HubOptions::rate(), or has its share of HubOptions::queue() under way.
    nobody,   ///< Refused: the seat is in no room any more; or the seat or the key is the one that nobody has.
    stopped,  ///< Refused: the app has stopped, or stops.
};

/// What became of a seat's move to another room, or of a change of what is known of its member.
enum class MoveResult {
    done,
    unchanged,       ///< There was nothing to do: it is there already, or was not there.
    busy,            ///< Refused for now: more of its connection's moves are under way than HubOptions::moves() allows.
    too_many_rooms,  ///< Refused: it is in as many as HubOptions::rooms() allows.
};

}  // namespace kvolt

#endif
