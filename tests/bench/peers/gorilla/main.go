// gorilla/websocket on Go's net/http: gorilla PORT [CERTIFICATE KEY]; GOMAXPROCS says how many threads.
// The hub and the two goroutines of each client are as in gorilla's chat example, which closes whoever is 256 messages
// behind.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
)

var (
	plain     = websocket.Upgrader{}
	deflating = websocket.Upgrader{EnableCompression: true}
)

type client struct {
	room *room
	conn *websocket.Conn
	send chan *websocket.PreparedMessage
}

func (c *client) read() {
	defer func() {
		c.room.leave <- c
		c.conn.Close()
	}()
	for {
		kind, data, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		message, err := websocket.NewPreparedMessage(kind, data)
		if err != nil {
			return
		}
		c.room.broadcast <- message
	}
}

func (c *client) write() {
	defer c.conn.Close()
	for message := range c.send {
		if c.conn.WritePreparedMessage(message) != nil {
			return
		}
	}
}

type room struct {
	clients   map[*client]bool
	broadcast chan *websocket.PreparedMessage
	join      chan *client
	leave     chan *client
}

func newRoom() *room {
	r := &room{
		clients:   map[*client]bool{},
		broadcast: make(chan *websocket.PreparedMessage),
		join:      make(chan *client),
		leave:     make(chan *client),
	}
	go r.run()
	return r
}

func (r *room) drop(c *client) {
	if r.clients[c] {
		delete(r.clients, c)
		close(c.send)
	}
}

func (r *room) run() {
	for {
		select {
		case c := <-r.join:
			r.clients[c] = true
		case c := <-r.leave:
			r.drop(c)
		case message := <-r.broadcast:
			for c := range r.clients {
				select {
				case c.send <- message:
				default:
					r.drop(c)
				}
			}
		}
	}
}

func chat(find func(path string) *room, upgrader *websocket.Upgrader) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c := &client{room: find(r.URL.Path), conn: conn, send: make(chan *websocket.PreparedMessage, 256)}
		c.room.join <- c
		go c.write()
		go c.read()
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := plain.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		kind, data, err := conn.ReadMessage()
		if err != nil || conn.WriteMessage(kind, data) != nil {
			return
		}
	}
}

// rooms makes each one when somebody asks for it first.
func rooms() func(string) *room {
	var mutex sync.Mutex
	all := map[string]*room{}
	return func(name string) *room {
		mutex.Lock()
		defer mutex.Unlock()
		if all[name] == nil {
			all[name] = newRoom()
		}
		return all[name]
	}
}

func main() {
	find := rooms()
	http.HandleFunc("/plaintext", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, "Hello, World!")
	})
	http.HandleFunc("/json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		body, _ := json.Marshal(map[string]string{"message": "Hello, World!"})
		w.Write(body)
	})
	http.HandleFunc("/users/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, strings.TrimPrefix(r.URL.Path, "/users/"))
	})
	http.HandleFunc("/echo", echo)
	http.HandleFunc("/chat", chat(find, &plain))
	http.HandleFunc("/rooms/", chat(find, &plain))
	http.HandleFunc("/deflate/chat", chat(find, &deflating))
	address := "127.0.0.1:" + os.Args[1]
	if len(os.Args) == 4 {
		log.Fatal(http.ListenAndServeTLS(address, os.Args[2], os.Args[3], nil))
	}
	log.Fatal(http.ListenAndServe(address, nil))
}
