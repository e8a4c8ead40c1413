import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DbLockModule } from 'nestjs-db-lock';
import { OrdersService } from './orders.service';

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'postgres', url: process.env.DATABASE_URL, autoLoadEntities: true }),
    DbLockModule.forRoot({ createTables: true, public: true }), // public: nobody but this machine can come here
  ],
  providers: [OrdersService],
})
export class AppModule {}
