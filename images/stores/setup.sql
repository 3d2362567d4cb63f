DELETE FROM mysql.global_priv WHERE Host <> 'localhost';
DELETE FROM mysql.proxies_priv WHERE Host <> 'localhost';
FLUSH PRIVILEGES;
CREATE DATABASE manager CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE USER dragonfly@'%' IDENTIFIED BY 'dragonfly';
GRANT ALL PRIVILEGES ON manager.* TO dragonfly@'%';
